"""One-dimensional data from a normal distribution: the only source with a known density."""

import math

import torch
from torch import Generator, Tensor

from gan.core.batch import Batch
from gan.core.checks import check_number
from gan.data.endless import Endless


class Gaussian(Endless):
    """Endless numbers from N(mean, deviation²), as float32 (B, 1, 1, 1).

    Unlike images, the values are not limited to [0, 1]. A generator for them must not end in a sigmoid or tanh.

    Args:
        mean, deviation: mean and standard deviation of the distribution; the latter is positive.
        **common: see :class:`gan.data.endless.Endless`.
    """

    def __init__(self, mean: float = 4.0, deviation: float = 1.25, **common) -> None:
        super().__init__(**common)
        check_number(mean=mean)
        check_number("(0, inf)", deviation=deviation)
        if (self.channels, self.image_size) != (1, 1):
            raise ValueError(f"a number has channels=1 and image_size=1, got {self.channels} and {self.image_size}")
        self.mean, self.deviation = mean, deviation

    def draw(self, count: int, generator: Generator) -> Batch:
        numbers = self.mean + self.deviation * torch.randn(count, generator=generator)
        return Batch(images=numbers.view(-1, 1, 1, 1), labels=torch.full((count,), -1))

    def density(self, x: Tensor) -> Tensor:
        """p_data(x), for x of any shape."""
        return torch.exp(-(((x - self.mean) / self.deviation) ** 2) / 2) / (self.deviation * math.sqrt(2 * math.pi))

    def mean_image(self) -> Tensor:
        return torch.full((1, 1, 1), float(self.mean))

    def describe(self) -> str:
        return f"{type(self).__name__}: endless numbers of mean {self.mean:g}, deviation {self.deviation:g}"
