"""Sampling from a generator."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Within the block the network is in evaluation mode: no dropout, running batch statistics."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


@torch.no_grad()
def sample(generator: nn.Module, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """Generates images in evaluation mode, see :func:`evaluating`.

    Args:
        generator: maps latents and labels to images.
        z: latents (B, dim) on the generator's device.
        labels: int64 (B,), on any device; None for unknown labels.

    Returns:
        float32 (B, C, H, W) in [0, 1].
    """
    if labels is None:
        labels = torch.full((len(z),), -1)
    with evaluating(generator):
        return generator(z, labels.to(z.device)).float()
