"""The mutual information of codes and generated examples."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F

from gan.core.checks import check_integer, check_number
from gan.losses.base import Pair, Term


class MutualInformation(Term):
    """-E log Q(c | G(z)), whose negative is a lower bound of I(c; G(z)) but for the entropy of c; for both players.

    Q is a head of D: D's step trains it and D's layers, G's step trains G. A categorical code costs its cross-entropy
    in nats, a continuous one ½ (c - μ)², the Gaussian of variance 1 without its constant. The codes are the last
    coordinates of z, see :class:`gan.networks.codes.Codes`. Chen et al. 2016, "InfoGAN", equations 5 and 6.

    Args:
        categorical: number of values of each categorical code.
        continuous: number of continuous codes.
        continuous_weight: the factor of the continuous codes, at least 0, in addition to ``weight``.
        **term: see :class:`gan.losses.base.Term`.
    """

    needs_outputs: ClassVar = {"codes": "conditioning=codes"}

    def __init__(
        self, categorical: Sequence[int], continuous: int, continuous_weight: float = 1.0, **term: Any
    ) -> None:
        super().__init__(**term)
        check_integer("[0, inf)", continuous=continuous)
        check_number("[0, inf)", continuous_weight=continuous_weight)
        self.categorical, self.continuous = tuple(categorical), continuous
        self.continuous_weight = continuous_weight

    def discriminator(self, pair: Pair) -> Tensor:
        return self.weight * self.cost(pair.fake.z, pair.fake_output.codes)

    def generator(self, pair: Pair) -> Tensor:
        return self.weight * self.cost(pair.fake.z, pair.fake_output.codes)

    def cost(self, z: Tensor, guesses: Tensor) -> Tensor:
        """-E log Q for latents (B, dim) and Q's parameters (B, codes)."""
        sizes = [*self.categorical, self.continuous]
        codes = z[:, z.shape[1] - sum(sizes) :].split(sizes, 1)
        *logits, means = guesses.split(sizes, 1)
        cost = (codes[-1] - means).square().sum(1).mean() * (self.continuous_weight / 2)
        for code, guess in zip(codes, logits, strict=False):
            cost = cost + F.cross_entropy(guess, code.argmax(1))
        return cost
