"""Wrappers that change what a discriminator sees of its examples."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan.core.batch import Batch, Output, in_packs
from gan.core.checks import check_integer, check_number
from gan.core.errors import UserError
from gan.core.processes import rank_and_world
from gan.core.random import RandomRows
from gan.networks import base
from gan.networks.conditioning import Wrapper


class Packed(Wrapper):
    """D scores packs of m examples, all real or all generated, so that it sees how varied they are.

    The inner discriminator gets the m images as channels of one, (B / m, m · C, H, W), without labels and latents, and
    gives one logit a pack; the loss is of B / m logits. Pack j has the rows j, j + B / m, …, for any number of
    processes. Lin, Khetan, Fanti, Oh 2018, "PacGAN: The power of two samples in generative adversarial networks".

    Args:
        discriminator: for images (m · C, H, W).
        pack: m, at least 1; the paper has 2 to 4.

    Raises:
        UserError: the inner discriminator uses or predicts labels or codes, or gets z, of which a pack has several.
    """

    def __init__(self, discriminator: base.Discriminator, pack: int) -> None:
        super().__init__(discriminator)
        if discriminator.describes_examples or discriminator.needs_z:
            raise UserError(
                "view.packed: a pack has no single label, code or z, but this D uses or predicts one; take "
                "conditioning=none and a model without labels."
            )
        self._pack = pack

    @property
    def pack(self) -> int:  # type: ignore[override]
        return self._pack * self.network.pack

    @property
    def mixes_batch(self) -> bool:  # type: ignore[override]
        """Packs of a joint batch would hold real and generated examples."""
        return self._pack > 1 or self.network.mixes_batch

    @staticmethod
    def inner_channels(channels: int, **arguments: Any) -> int:
        check_integer("[1, inf)", pack=arguments["pack"])
        return channels * arguments["pack"]

    def forward(self, batch: Batch) -> Output:
        return self.network(Batch(images=in_packs(batch.images, self._pack).flatten(1, 2)))


class Augmented(Wrapper):
    """D sees real and generated images after random changes through which gradients flow, in training alone.

    Brightness, then a shift, then a square that is cut out; new random numbers for each image and pass. A penalty's
    gradient is with respect to the images before the changes. Zhao et al. 2020, "Differentiable augmentation for
    data-efficient GAN training".

    Args:
        discriminator: for images of the same shape.
        image_shape: (C, H, W) of the images, at least 4×4 pixels.
        brightness: largest change of all pixels of an image, at least 0; the paper's .5 for pixels in [-1, 1] is .25.
        translation: largest shift in each direction as a share of the side, in [0, 1].
        cutout: side of the square as a share of the image's, in [0, 1].
        fill: value of pixels that are shifted in or cut out; the paper's 0 for pixels in [-1, 1] is .5.
    """

    def __init__(
        self,
        discriminator: base.Discriminator,
        image_shape: Sequence[int],
        brightness: float = 0.25,
        translation: float = 0.125,
        cutout: float = 0.5,
        fill: float = 0.5,
    ) -> None:
        super().__init__(discriminator)
        if min(image_shape[1:], default=0) < 4:  # empty for numbers
            raise UserError("view.augmented shifts and cuts images of at least 4×4 pixels; points have none.")
        check_number("[0, inf)", brightness=brightness)
        check_number("[0, 1]", translation=translation, cutout=cutout, fill=fill)
        self.brightness, self.translation, self.cutout, self.fill = brightness, translation, cutout, fill

    def forward(self, batch: Batch) -> Output:
        return self.network(replace(batch, images=self.change(batch.images)) if self.training else batch)

    def change(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) after the three changes."""
        random = RandomRows(images.device, *rank_and_world())
        count, sides = len(images), images.shape[2:]
        images = images + (random.uniform(count, 1, 1, 1) * 2 - 1) * self.brightness
        for axis, side in enumerate(sides, start=2):
            most = int(side * self.translation + 0.5)
            shifts = (random.uniform(count) * (2 * most + 1)).long() - most
            images = shifted(images, shifts, axis, self.fill)
        holes = []
        for side in sides:
            size = int(side * self.cutout + 0.5)
            middles = (random.uniform(count, 1) * (side + 1 - size % 2)).long()
            places = torch.arange(side, device=images.device) - middles + size // 2  # (B, side)
            holes.append((places >= 0) & (places < size))
        hole = holes[0][:, None, :, None] & holes[1][:, None, None, :]  # (B, 1, H, W)
        return images.masked_fill(hole, self.fill)


def shifted(images: Tensor, shifts: Tensor, axis: int, fill: float) -> Tensor:
    """Images (B, C, H, W), each moved by its own number of pixels (B,) along an axis; ``fill`` comes in."""
    side = images.shape[axis]
    places = torch.arange(side, device=images.device) - shifts[:, None]  # (B, side)
    inside = (places >= 0) & (places < side)
    shape = [len(images), 1, 1, 1]
    shape[axis] = side
    moved = images.gather(axis, places.clamp(0, side - 1).view(shape).expand(images.shape))
    return moved.masked_fill(~inside.view(shape), fill)
