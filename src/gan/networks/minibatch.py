"""Heads of D that compare the examples of a batch, so that D sees how varied they are."""

from typing import Any

from torch import Tensor, nn

from gan.core.batch import Output
from gan.core.checks import check_integer
from gan.networks import base
from gan.networks.conditioning import Head


class Comparison(Head):
    """logit(φ(x)) + w · s, where s (B, S) compares the features of the batch and w is learned.

    It is the last layer of D on the features and s together. Real and generated batches are scored one after the other.

    Args:
        size: S, the number of comparisons.
        **head: see :class:`gan.networks.conditioning.Head`.
    """

    describes_examples = False
    mixes_batch = True
    needs_whole_batch = True

    def __init__(self, discriminator: base.Discriminator, *, size: int, **head: Any) -> None:
        super().__init__(discriminator, **head)
        weight = nn.Linear(size, 1, bias=False)
        # Spectral normalization would leave a single number its sign alone.
        self.weight = weight if size == 1 else self.normalized(weight)

    def output(self, batch, features, logits):
        return Output(logits=logits + self.weight(self.compare(features)).squeeze(1), features=features)

    def compare(self, features: Tensor) -> Tensor:
        """s (B, S) for features (B, F)."""
        raise NotImplementedError


class MinibatchDiscrimination(Comparison):
    """s_k(x_i) = Σ exp(-‖M_ik - M_jk‖₁) over the other examples j, where M_i (kernels, width) is linear in φ(x_i).

    Large where many examples of the batch are similar. Salimans et al. 2016, "Improved Techniques for Training GANs",
    section 3.2; there s is an input of a further hidden layer.

    Args:
        kernels: number of comparisons, at least 1.
        width: numbers that each compares, at least 1.
        **head: see :class:`gan.networks.conditioning.Head`.
    """

    def __init__(self, discriminator: base.Discriminator, *, kernels: int = 50, width: int = 5, **head: Any) -> None:
        check_integer("[1, inf)", kernels=kernels, width=width)
        super().__init__(discriminator, size=kernels, **head)
        self.kernels = kernels
        self.projection = self.linear(kernels * width, bias=False)

    def compare(self, features: Tensor) -> Tensor:
        rows = self.projection(features).float().unflatten(1, (self.kernels, -1))  # (B, K, width)
        distances = (rows[:, None] - rows).abs().sum(3)  # (B, B, K)
        return distances.neg().exp().sum(1) - 1  # without the example itself, at distance 0


class MinibatchDeviation(Comparison):
    """s is one number for the whole batch: the mean over features of their standard deviation in the batch.

    Karras et al. 2018, "Progressive growing of GANs", section 3; there it is a further channel of the last feature map.
    """

    def __init__(self, discriminator: base.Discriminator, **head: Any) -> None:
        super().__init__(discriminator, size=1, **head)

    def compare(self, features: Tensor) -> Tensor:
        variance = features.float().var(0, correction=0)
        return (variance + 1e-8).sqrt().mean().expand(len(features), 1)  # finite slope where all are equal
