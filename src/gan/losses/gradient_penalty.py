"""A penalty on critics whose gradient norm differs from 1 between data and samples."""

import torch
from torch import Tensor

from gan.losses.base import Pair, Term
from gan.losses.penalties import squared_gradients


class GradientPenalty(Term):
    """weight · E (‖∇f(x̂)‖ - 1)², x̂ = ε x + (1 - ε) G(z), with ε uniform on [0, 1) for each example.

    x and G(z) are paired by their position in the batch. A conditional critic gets the label of x. The norm is over
    all values of one example, so D must not use batch normalization or compare examples in another way. Gulrajani et
    al. 2017, "Improved training of Wasserstein GANs", equation 3 (weight 10).

    Args:
        weight: λ of the paper, at least 0.
        one_sided: whether only norms above 1 are penalized.
        every: see :class:`gan.losses.base.Term`.
    """

    def __init__(self, weight: float = 10.0, one_sided: bool = False, every: int = 1) -> None:
        super().__init__(weight, every)
        self.one_sided = one_sided

    def discriminator(self, pair: Pair) -> Tensor:
        epsilon = pair.random.uniform(len(pair.real))

        def between(real: Tensor, fake: Tensor) -> Tensor:
            if not real.is_floating_point():
                return real
            return torch.lerp(fake, real, epsilon.view(-1, *[1] * (real.dim() - 1)))

        squares = squared_gradients(pair.discriminator, pair.real.zip(pair.fake, between))
        excess = (squares + 1e-12).sqrt() - 1  # finite gradient where the norm is 0
        return self.weight * (excess.relu() if self.one_sided else excess).square().mean()
