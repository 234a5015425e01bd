"""Penalties on the gradient of D's logit with respect to its inputs; they are terms of D's objective."""

from torch import Tensor

from gan.losses.base import Pair, Term


class R1(Term):
    """weight / 2 · E ‖∇t(x)‖² at real images, where t is D's logit.

    Mescheder, Geiger, Nowozin 2018, "Which training methods for GANs do actually converge?", equation 9.

    Args:
        weight: gamma of the paper, at least 0.
        every: see :class:`Term`; StyleGAN2's lazy regularization uses 16.
    """

    needs_independence = True
    needs_gradient_at = "real"

    def discriminator(self, pair: Pair) -> Tensor:
        return 0.5 * self.weight * pair.squared_gradients("real").mean()


class R2(Term):
    """weight / 2 · E ‖∇t(G(z))‖² at samples: R1 on the other side. Mescheder et al. 2018, equation 10.

    Args:
        weight: gamma of the paper, at least 0.
        every: see :class:`Term`.
    """

    needs_independence = True
    needs_gradient_at = "fake"

    def discriminator(self, pair: Pair) -> Tensor:
        return 0.5 * self.weight * pair.squared_gradients("fake").mean()
