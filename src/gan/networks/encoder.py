"""Encoders: images to codes; and a discriminator of codes."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan.core.batch import Batch, Output
from gan.core.checks import check_integer
from gan.networks import base
from gan.networks.layers import Dropout, leaky_relu


class Encoder(base.Encoder):
    """Linear layers with LeakyReLU, then a linear layer that outputs the code.

    Args:
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        latent_dim: length of a code.
        per_code: outputs per coordinate of a code: 1 for the code itself, 2 for mean and log variance.
        slope: LeakyReLU's slope for negative inputs.
        dropout: share of hidden units dropped in training, in [0, 1).
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        latent_dim: int,
        per_code: int = 1,
        slope: float = 0.2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", per_code=per_code)
        widths = [math.prod(image_shape), *base.check_widths("hidden", hidden)]
        last = nn.Linear(widths[-1], per_code * latent_dim)
        self.layers = nn.Sequential(*_hidden(widths, slope, dropout), last)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images.flatten(1) * 2 - 1)

    def features(self, images: Tensor) -> Tensor:
        return self.layers[:-1](images.flatten(1) * 2 - 1)  # (B, hidden[-1])


class CodeDiscriminator(base.Discriminator):
    """Tells codes that were drawn from the prior from codes of images, by ``Batch.z`` alone.

    Linear layers with LeakyReLU and dropout, then one logit.

    Args:
        latent_dim: length of a code.
        hidden: widths of the hidden layers.
        slope: LeakyReLU's slope for negative inputs.
        dropout: share of hidden units dropped in training, in [0, 1).
    """

    needs_z = True

    def __init__(self, latent_dim: int, hidden: Sequence[int], slope: float = 0.2, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [latent_dim, *base.check_widths("hidden", hidden)]
        self.layers = nn.Sequential(*_hidden(widths, slope, dropout), nn.Linear(widths[-1], 1))

    def forward(self, batch: Batch) -> Output:
        assert batch.z is not None
        features = self.layers[:-1](batch.z)
        return Output(logits=self.layers[-1](features).squeeze(1), features=features)


def _hidden(widths: Sequence[int], slope: float, dropout: float) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), leaky_relu(slope), *([Dropout(dropout)] if dropout else [])]
    return layers
