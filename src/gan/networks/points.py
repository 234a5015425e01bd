"""Fully connected G and D for points in the plane, as in the literature on dropped modes."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

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
