"""Images of noise: benchmarks need neither files nor downloads."""

import math

import torch

from gan.data.base import ImageData, Split


class Synthetic(ImageData):
    """Images of uniform noise, the same for every seed of a run; 200 more each for validation and test.

    Args:
        images: the number of training images.
        **common: see :class:`gan.data.base.Source`.
    """

    def __init__(self, images: int = 10_000, **common) -> None:
        super().__init__(**common)
        self.images = images

    def load(self) -> dict[str, Split]:
        shape = (self.channels, self.image_size, self.image_size)
        counts = {"train": self.images, "valid": 200, "test": 200}
        return {name: noise(count, shape, seed) for seed, (name, count) in enumerate(counts.items())}


def noise(count: int, shape: tuple[int, int, int], seed: int) -> Split:
    """``count`` images (count, *shape) of noise without a class."""
    numbers = count * math.prod(shape)
    # Eight bytes from each random number, in place: a million images take a second and no extra memory.
    words = torch.empty(-(-numbers // 8), dtype=torch.int64)
    words.random_(-(2**63), None, generator=torch.Generator().manual_seed(seed))
    images = words.view(torch.uint8)[:numbers].view(count, *shape)
    return Split(images, torch.full((count,), -1))
