"""A single layer in each direction: the smallest autoencoder."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from gan.core.checks import check_integer
from gan.networks import base


class Encoder(base.Encoder):
    """One linear layer: code = W x + b. It has no hidden layer.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: length of a code.
    """

    def __init__(self, image_shape: Sequence[int], latent_dim: int) -> None:
        super().__init__()
        check_integer("[1, inf)", latent_dim=latent_dim)
        self.layer = nn.Linear(math.prod(image_shape), latent_dim)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))


class Decoder(base.Generator):
    """One linear layer: x = V z + c, then a sigmoid unless it is turned off.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images.
        sigmoid: whether pixels are squashed into [0, 1]; without it, the best squared error is that of as many
            principal components.
    """

    def __init__(self, latent_dim: int, image_shape: Sequence[int], sigmoid: bool = True) -> None:
        super().__init__()
        self.image_shape, self.sigmoid = tuple(image_shape), sigmoid
        self.layer = nn.Linear(latent_dim, math.prod(self.image_shape))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.layer(z).unflatten(1, self.image_shape)  # (B, C, H, W)
        return x.sigmoid() if self.sigmoid else x
