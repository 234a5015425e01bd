"""Images of noise: a benchmark that needs no files and no network."""

import torch

from gan.data.base import ImageData, Split


class Synthetic(ImageData):
    """10,000 images of uniform noise to train on and 200 each to validate and test, the same for every seed."""

    def load(self) -> dict[str, Split]:
        generator = torch.Generator().manual_seed(0)
        shape = (self.channels, self.image_size, self.image_size)
        return {name: noise(count, shape, generator) for name, count in SIZES.items()}


SIZES = {"train": 10_000, "valid": 200, "test": 200}


def noise(count: int, shape: tuple[int, int, int], generator: torch.Generator) -> Split:
    """So many images without a class."""
    images = torch.randint(256, (count, *shape), dtype=torch.uint8, generator=generator)
    return Split(images, torch.full((count,), -1))
