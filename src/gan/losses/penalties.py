"""Terms added to D's objective: (discriminator, real, fake) -> scalar."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Penalty(ABC):
    """A regularizer of D. Images are float32 (B, C, H, W) in [0, 1]."""

    @abstractmethod
    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """The term to add to D's objective, a scalar with a graph to D's weights."""


class R1(Penalty):
    """weight / 2 · E ‖∇_x t(x)‖² at real images, t being D's logit.

    Mescheder, Geiger, Nowozin 2018, "Which training methods for GANs do actually converge?", equation 9.

    Args:
        weight: gamma of the paper, at least 0.
    """

    def __init__(self, weight: float) -> None:
        if not weight >= 0:
            raise ValueError(f"weight must be at least 0, got {weight}")
        self.weight = weight

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        # A leaf of its own: the caller's minibatch must not start to require gradients.
        x = real.detach().requires_grad_(True)
        # The sum over the minibatch has each image's own gradient as its gradient.
        (gradient,) = torch.autograd.grad(discriminator(x).float().sum(), x, create_graph=True)
        return 0.5 * self.weight * gradient.square().flatten(1).sum(1).mean()
