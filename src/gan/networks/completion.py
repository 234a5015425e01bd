"""A generator that is given a part of the image."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gan.core.checks import check_integer
from gan.core.random import RandomRows
from gan.networks import base, encoder


class Completing(base.GeneratorWrapper):
    """G(z + E(given pixels, mask)), with the given pixels as they are and the missing ones from G.

    Any generator can be the inner one. With nothing given it generates whole images.

    Args:
        generator: latents (B, latent_dim) to images (B, C, H, W).
        latent_dim: length of z.
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers of E.
        slope: LeakyReLU's slope for negative inputs.
    """

    def __init__(
        self,
        generator: base.Generator,
        latent_dim: int,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        slope: float = 0.2,
    ) -> None:
        super().__init__(generator)
        self.channels, *self.sides = image_shape
        self.encoder = encoder.Encoder([self.channels + 1, *self.sides], hidden, latent_dim, slope=slope)

    def forward(
        self, z: Tensor, labels: Tensor | None = None, images: Tensor | None = None, masks: Tensor | None = None
    ) -> Tensor:
        """Completed images (B, C, H, W).

        Args:
            z: (B, latent_dim).
            labels: for the inner generator.
            images: (B, C, H, W) in [0, 1], of which only pixels with mask 1 are used; None for nothing given.
            masks: (B, 1, H, W), 1 where a pixel is given and 0 where it is missing.
        """
        if images is None or masks is None:
            masks = z.new_zeros(len(z), 1, *self.sides)
            images = z.new_zeros(len(z), self.channels, *self.sides)
        made = self.network(self.code(z, images, masks), labels)
        return masks * images + (1 - masks) * made

    def code(self, z: Tensor, images: Tensor, masks: Tensor) -> Tensor:
        """The inner generator's latents (B, latent_dim) for given pixels."""
        return z + self.encoder(torch.cat([masks * images, masks], 1))


def rectangles(random: RandomRows, count: int, side: int, empty: float = 0.125) -> Tensor:
    """Masks of images from which a random rectangle is missing, float32 (count, 1, side, side), 1 where given.

    The rectangle's edges are uniform, at least one pixel apart.

    Args:
        random: the source of random numbers.
        count: the number of masks.
        side: height and width of the images in pixels, at least 1.
        empty: share of masks with every pixel missing, in [0, 1].
    """
    check_integer("[1, inf)", side=side)
    corners = random.uniform(count, 2, 2).mul(side).sort(1).values  # (count, start and end, row and column)
    pixels = torch.arange(side, device=corners.device) + 0.5
    start, end = corners[:, 0].floor(), corners[:, 1].ceil().maximum(corners[:, 0].floor() + 1)
    inside = (pixels > start[..., None]) & (pixels < end[..., None])  # (count, 2, side)
    missing = inside[:, 0, :, None] & inside[:, 1, None, :]
    everything = random.uniform(count)[:, None, None] < empty
    return (~(missing | everything)).float()[:, None]
