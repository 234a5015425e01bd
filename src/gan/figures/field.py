"""D over the plane, and the directions in which G's loss moves samples."""

import torch
from torch import Tensor

from gan.core.batch import Batch
from gan.figures.drawing import window
from gan.losses.base import Pair
from gan.methods.base import Method

RESOLUTION = 80  # grid points per side of the map


def see_field(method: Method, real: Tensor, samples: Tensor) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """D over the window of the real points, and the descent direction of G's loss at the samples.

    D is in evaluation mode, and no random numbers are drawn.

    Args:
        method: the method; without a discriminator and a loss the result is empty.
        real: points (N, 2, 1, 1).
        samples: points (M, 2, 1, 1).

    Returns:
        D(x), or the sigmoid of a critic's centered score, (R, R) with the first row at the top; and vectors (M, 2).
        (None, None) for a method without a discriminator, or whose D compares the examples of a batch or needs z.
    """
    discriminator, loss = getattr(method, "discriminator", None), getattr(method, "loss", None)
    if discriminator is None or discriminator.mixes_batch or discriminator.needs_z:
        return None, None
    middle, half = window(real)
    line = (torch.arange(RESOLUTION) + 0.5) / RESOLUTION * 2 - 1
    points = torch.stack([line.expand(RESOLUTION, -1), -line[:, None].expand(-1, RESOLUTION)], dim=-1)  # top row first
    grid = (middle + half * points).view(-1, 2, 1, 1).to(method.device)
    was_training = discriminator.training
    discriminator.eval()
    try:
        with torch.no_grad():
            output = discriminator(_batch(grid))
            value = loss.probability(output)
            if value is None:
                value = (output.logits - output.logits.median()).sigmoid()
        at = samples.to(method.device, copy=True).requires_grad_(True)
        with torch.enable_grad():
            others = real[torch.arange(len(at)) % len(real)]  # as many: some losses compare them one by one
            pair = Pair(discriminator, _batch(others.to(method.device)), _batch(at))
            (gradient,) = torch.autograd.grad(loss.generator(pair), at)
    finally:
        discriminator.train(was_training)
    return value.float().view(RESOLUTION, RESOLUTION).cpu(), -gradient.flatten(1).cpu()


def _batch(images: Tensor) -> Batch:
    return Batch(images=images, labels=torch.full((len(images),), -1, device=images.device))
