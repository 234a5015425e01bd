"""Penalties: terms of D's objective on the gradient of its logit with respect to its inputs."""

import torch
from torch import Tensor

from gan.core.batch import Batch
from gan.losses.base import DiscriminatorFn, Pair, Term


def squared_gradients(discriminator: DiscriminatorFn, at: Batch) -> Tensor:
    """‖∇t‖² of D's logit t with respect to all of its float inputs together, with a graph to D's weights.

    Args:
        discriminator: treats each example by itself; with batch normalization the gradients of examples mix.
        at: where; the caller's tensors do not start to require gradients.

    Returns:
        (B,), at least 0: the norm of one example is over all of its values.
    """
    leaves = at.map(lambda v: v.detach().requires_grad_(True) if v.is_floating_point() else v)
    inputs = [value for _, value in leaves.items() if value.requires_grad]
    # The sum over the batch has each example's own gradient as its gradient.
    total = discriminator(leaves).logits.float().sum()
    gradients = torch.autograd.grad(total, inputs, create_graph=True, allow_unused=True)
    return torch.stack([g.square().flatten(1).sum(1) for g in gradients if g is not None]).sum(0)


class R1(Term):
    """weight / 2 · E ‖∇t(x)‖² at real images, t being D's logit.

    Mescheder, Geiger, Nowozin 2018, "Which training methods for GANs do actually converge?", equation 9.

    Args:
        weight: gamma of the paper, at least 0.
        every: see :class:`Term`; 16 is the lazy regularization of StyleGAN2.
    """

    def discriminator(self, pair: Pair) -> Tensor:
        return 0.5 * self.weight * squared_gradients(pair.discriminator, pair.real).mean()


class R2(Term):
    """weight / 2 · E ‖∇t(G(z))‖² at samples: R1 on the other side. Mescheder et al. 2018, equation 10.

    Args:
        weight: gamma of the paper, at least 0.
        every: see :class:`Term`.
    """

    def discriminator(self, pair: Pair) -> Tensor:
        return 0.5 * self.weight * squared_gradients(pair.discriminator, pair.fake).mean()
