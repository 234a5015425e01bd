"""Fully connected G and D for points in the plane, as in the literature on dropped modes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan.core.checks import check_integer, check_number
from gan.networks import base
from gan.networks.layers import perceptron


class Generator(base.Generator):
    """Linear layers with ReLU between them; the output is unbounded.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the samples.
        hidden: widths of the hidden layers.
    """

    def __init__(self, latent_dim: int, image_shape: Sequence[int], hidden: Sequence[int]) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        widths = [latent_dim, *base.check_widths("hidden", hidden), math.prod(self.image_shape)]
        self.layers = perceptron(widths, nn.ReLU())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(z).unflatten(1, self.image_shape)  # (B, C, H, W)


class Discriminator(base.Discriminator):
    """Linear layers with ReLU between them, then one logit.

    Args:
        image_shape: (C, H, W) of the points.
        hidden: widths of the hidden layers.
    """

    def __init__(self, image_shape: Sequence[int], hidden: Sequence[int]) -> None:
        super().__init__()
        self.layers = perceptron([math.prod(image_shape), *base.check_widths("hidden", hidden), 1], nn.ReLU())

    def score(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1)).squeeze(1)

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-1](x.flatten(1))  # (B, hidden[-1])

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-1](features).squeeze(1)


class FourierDiscriminator(Discriminator):
    """A discriminator that also sees sines and cosines of the point, and so tells apart what lies close together.

    Its first layer gets x, sin(2π b·x) and cos(2π b·x) for random directions b whose lengths, in cycles per unit, grow
    geometrically. Tancik et al. 2020, "Fourier features let networks learn high frequency functions in low dimensional
    domains", section 4, with several scales at once. A mode of standard deviation s has frequencies up to about
    1 / (2π s).

    Args:
        image_shape: (C, H, W) of the points.
        hidden: widths of the hidden layers.
        frequencies: number of directions, at least 1.
        lowest, highest: the smallest and the largest length of a direction, in cycles per unit, above 0.
    """

    directions: Tensor  # (C·H·W, frequencies), in radians per unit

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        frequencies: int = 64,
        lowest: float = 0.05,
        highest: float = 2.0,
    ) -> None:
        check_integer("[1, inf)", frequencies=frequencies)
        check_number("(0, inf)", lowest=lowest, highest=highest)
        size = math.prod(image_shape)
        super().__init__([size + 2 * frequencies], hidden)
        lengths = torch.logspace(math.log10(lowest), math.log10(highest), frequencies)
        towards = nn.functional.normalize(torch.randn(size, frequencies), dim=0)
        self.register_buffer("directions", 2 * math.pi * lengths * towards)

    def embed(self, x: Tensor) -> Tensor:
        """x with its sines and cosines, (B, C·H·W + 2 · frequencies)."""
        x = x.flatten(1)
        with torch.autocast(x.device.type, enabled=False):  # half precision would lose the phases of high frequencies
            phases = x.float() @ self.directions
        return torch.cat([x, phases.sin(), phases.cos()], dim=1)

    def score(self, x: Tensor) -> Tensor:
        return super().score(self.embed(x))

    def features(self, x: Tensor) -> Tensor:
        return super().features(self.embed(x))
