"""The latents of images by a search: what an encoder approximates."""

from collections.abc import Callable

import torch
from torch import Tensor


def find_latents(
    generator: Callable[..., Tensor],
    z: Tensor,
    images: Tensor,
    steps: int,
    labels: Tensor | None = None,
    masks: Tensor | None = None,
    rate: float = 0.05,
    prior: float = 0.001,
) -> Tensor:
    """z (N, dim) that minimizes the squared error of G(z) plus ``prior`` · ‖z‖², by Adam.

    Args:
        generator: latents to images (N, C, H, W), in evaluation mode; its weights get no gradient.
        z: where the search starts, (N, dim).
        images: (N, C, H, W) in [0, 1], on the same device.
        steps: number of steps.
        labels: int64 (N,), for a conditional generator.
        masks: (N, 1, H, W), 1 for a pixel that counts; None for all pixels.
        rate: of Adam.
        prior: weight of ‖z‖², at least 0: the density of N(0, I) for pixels of deviation √prior.
    """
    z = z.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=rate)
    with torch.enable_grad():
        for _ in range(steps):
            difference = (generator(z) if labels is None else generator(z, labels)) - images
            error = (difference if masks is None else difference * masks).square().flatten(1).sum(1)
            (z.grad,) = torch.autograd.grad((error + prior * z.square().sum(1)).sum(), z)
            optimizer.step()
    return z.detach()
