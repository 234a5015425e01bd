"""Penalties on critics whose gradient is not of norm 1: between data and samples, or around the data."""

from dataclasses import replace

import torch
from torch import Tensor

from gan.core.checks import check_number
from gan.losses.base import Pair, Term
from gan.losses.gradients import squared_gradients


class GradientPenalty(Term):
    """weight · E (‖∇f(x̂)‖ - 1)², x̂ = ε x + (1 - ε) G(z), with ε uniform on [0, 1) for each example.

    x and G(z) are paired by their position in the batch. A conditional critic gets the label of x. The norm is over
    all values of one example, so D must not use batch normalization or compare examples in another way; examples that
    share a logit have one norm and one ε. Gulrajani et al. 2017, "Improved training of Wasserstein GANs", equation 3
    (weight 10).

    Args:
        weight: λ of the paper, at least 0.
        one_sided: whether only norms above 1 are penalized.
        every: see :class:`gan.losses.base.Term`.
    """

    needs_independence = True

    def __init__(self, weight: float = 10.0, one_sided: bool = False, every: int = 1) -> None:
        super().__init__(weight, every)
        self.one_sided = one_sided

    def discriminator(self, pair: Pair) -> Tensor:
        epsilon = pair.random.uniform(len(pair.real) // pair.pack).repeat(pair.pack)

        def between(real: Tensor, fake: Tensor) -> Tensor:
            if not real.is_floating_point():
                return real
            return torch.lerp(fake, real, epsilon.view(-1, *[1] * (real.dim() - 1)))

        squares = squared_gradients(pair.discriminator, pair.real.zip(pair.fake, between))
        return self.weight * excess(squares, self.one_sided).square().mean()


class Dragan(Term):
    """weight · E (‖∇t(x + δ)‖ - 1)² around real examples, δ from N(0, deviation²) for each value.

    Kodali, Abernethy, Hays, Kira 2017, "On convergence and stability of GANs", equation 4 (weight 10). Published code
    has other perturbations: uniform, on one side, or scaled by the standard deviation of the batch, which would make an
    example's penalty depend on the others.

    Args:
        weight: λ of the paper, at least 0.
        deviation: standard deviation of δ, at least 0, where images are in [0, 1].
        every: see :class:`gan.losses.base.Term`.
    """

    needs_independence = True

    def __init__(self, weight: float = 10.0, deviation: float = 0.1, every: int = 1) -> None:
        super().__init__(weight, every)
        check_number("[0, inf)", deviation=deviation)
        self.deviation = deviation

    def discriminator(self, pair: Pair) -> Tensor:
        inputs = {name: value for name, value in pair.real.items() if name in ("images", "z")}  # z: of pairs, or alone
        noisy = {name: value + self.deviation * pair.random.normal(*value.shape) for name, value in inputs.items()}
        near = replace(pair.real, **noisy)
        squares = squared_gradients(pair.discriminator, near)
        return self.weight * excess(squares).square().mean()


def excess(squares: Tensor, one_sided: bool = False) -> Tensor:
    """By how much norms exceed 1, for their squares (B,); ``one_sided``: 0 for norms below 1."""
    above = (squares + 1e-12).sqrt() - 1  # no infinite slope where the gradient vanishes
    return above.relu() if one_sided else above
