"""Fully connected G and D of the widely copied MNIST tutorials."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan.networks import base
from gan.networks.layers import Dropout, leaky_relu


class Generator(base.Generator):
    """Linear and LeakyReLU layers, typically of growing width, and a tanh output.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        slope: LeakyReLU's slope for negative inputs.
        batch_norm: whether to apply batch normalization to the outputs of each hidden layer.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        slope: float = 0.2,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        widths = [latent_dim, *base.check_widths("hidden", hidden)]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out), leaky_relu(slope)]
            layers += [nn.BatchNorm1d(n_out)] if batch_norm else []
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], math.prod(self.image_shape)), nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.layers(z).unflatten(1, self.image_shape)  # (B, C, H, W) in [-1, 1]
        return (x + 1) / 2


class Discriminator(base.Discriminator):
    """Linear, LeakyReLU and dropout layers, typically of shrinking width, then one logit.

    Args:
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        slope: LeakyReLU's slope for negative inputs.
        dropout: share of hidden units dropped in training, in [0, 1).
        batch_norm: whether to apply batch normalization to the outputs of each hidden layer.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        slope: float = 0.2,
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        widths = [math.prod(image_shape), *base.check_widths("hidden", hidden)]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out), leaky_relu(slope)]
            layers += [nn.BatchNorm1d(n_out)] if batch_norm else []
            layers += [Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def score(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1) * 2 - 1).squeeze(1)

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-1](x.flatten(1) * 2 - 1)  # (B, hidden[-1])

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-1](features).squeeze(1)
