"""Sampling from a generator."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def sample(generator: nn.Module, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """Generates images in evaluation mode: no dropout, running batch statistics.

    Args:
        generator: maps latents and labels to images.
        z: latents (B, dim) on the generator's device.
        labels: int64 (B,), on any device; None for unknown labels.

    Returns:
        float32 (B, C, H, W) in [0, 1].
    """
    if labels is None:
        labels = torch.full((len(z),), -1)
    was_training = generator.training
    generator.eval()
    try:
        return generator(z, labels.to(z.device)).float()
    finally:
        generator.train(was_training)
