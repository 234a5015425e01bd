"""Encoders: images to codes."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan.core.checks import check_integer
from gan.networks import base
from gan.networks.layers import leaky_relu


class Encoder(base.Encoder):
    """Linear layers with LeakyReLU, then a linear layer that outputs the code.

    Args:
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        latent_dim: length of a code.
        per_code: outputs per coordinate of a code: 1 for the code itself, 2 for mean and log variance.
        slope: LeakyReLU's slope for negative inputs.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        latent_dim: int,
        per_code: int = 1,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", per_code=per_code)
        widths = [math.prod(image_shape), *base.check_widths("hidden", hidden)]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out), leaky_relu(slope)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], per_code * latent_dim))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images.flatten(1) * 2 - 1)
