"""Penalties on the gradient of D's logit with respect to its inputs; they are terms of D's objective."""

import torch
from torch import Tensor

from gan.core.batch import Batch
from gan.losses.base import DiscriminatorFn, Pair, Term


def squared_gradients(discriminator: DiscriminatorFn, at: Batch) -> Tensor:
    """‖∇t‖² of D's logit t with respect to all its float inputs, differentiable with respect to D's weights.

    Args:
        discriminator: must treat each example independently; batch normalization would mix the gradients.
        at: the inputs; the caller's tensors are not changed to require gradients.

    Returns:
        (B,), at least 0; each norm is over all values of one example.
    """
    leaves = at.map(lambda v: v.detach().requires_grad_(True) if v.is_floating_point() else v)
    inputs = [value for _, value in leaves.items() if value.requires_grad]
    # In float32 under every precision: 16 bits would round the gradient, which is the objective here.
    with torch.autocast(inputs[0].device.type, enabled=False):
        # The gradient of the sum over the batch holds the gradient of each example.
        total = discriminator(leaves).logits.float().sum()
        gradients = torch.autograd.grad(total, inputs, create_graph=True, allow_unused=True)
    return torch.stack([g.square().flatten(1).sum(1) for g in gradients if g is not None]).sum(0)


class R1(Term):
    """weight / 2 · E ‖∇t(x)‖² at real images, where t is D's logit.

    Mescheder, Geiger, Nowozin 2018, "Which training methods for GANs do actually converge?", equation 9.

    Args:
        weight: gamma of the paper, at least 0.
        every: see :class:`Term`; StyleGAN2's lazy regularization uses 16.
    """

    needs_independence = True

    def discriminator(self, pair: Pair) -> Tensor:
        return 0.5 * self.weight * squared_gradients(pair.discriminator, pair.real).mean()


class R2(Term):
    """weight / 2 · E ‖∇t(G(z))‖² at samples: R1 on the other side. Mescheder et al. 2018, equation 10.

    Args:
        weight: gamma of the paper, at least 0.
        every: see :class:`Term`.
    """

    needs_independence = True

    def discriminator(self, pair: Pair) -> Tensor:
        return 0.5 * self.weight * squared_gradients(pair.discriminator, pair.fake).mean()
