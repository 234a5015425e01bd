"""z with structured codes: Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information Maximizing
Generative Adversarial Nets"."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gan.core.checks import ArgumentError, check_integer
from gan.networks.latents import Latent
from gan.networks.layers import one_hot


class Codes(Latent):
    """z = (noise, categorical codes as one-hot vectors, continuous codes).

    Noise and continuous codes are uniform on [-1, 1], categorical codes uniform on their values.

    Args:
        dim: length of the whole z.
        categorical: number of values of each categorical code, at least 2.
        continuous: number of continuous codes, at least 0.

    Raises:
        ArgumentError: the codes leave no room for noise.
    """

    def __init__(self, dim: int, categorical: Sequence[int] = (), continuous: int = 0) -> None:
        super().__init__(dim)
        check_integer("[0, inf)", continuous=continuous)
        self.categorical, self.continuous = tuple(categorical), continuous
        for values in self.categorical:
            check_integer("[2, inf)", categorical=values)
        self.noise = dim - sum(self.categorical) - continuous
        if self.noise < 1:
            raise ArgumentError("dim", f"must be above {dim - self.noise}, the length of the codes, got {dim}.")

    def draw(self, random, count):
        noise = random.uniform(count, self.noise).mul_(2).sub_(1)
        chosen = [one_hot(random.integers(values, count), values) for values in self.categorical]
        return torch.cat([noise, *chosen, random.uniform(count, self.continuous).mul_(2).sub_(1)], 1)

    def split(self, z: Tensor) -> list[Tensor]:
        """The noise, each categorical code and the continuous codes of z (B, dim); or of more columns at its end."""
        return list(z.split([self.noise, *self.categorical, self.continuous], 1))
