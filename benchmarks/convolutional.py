"""A small convolutional pair in the manner of DCGAN (Radford et al. 2015), without batch normalization.

It takes the arguments of ``model=mlp``, so that two overrides select it:
``model.generator._target_=benchmarks.convolutional.Generator`` and the same for D.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan.networks import base
from gan.networks.layers import Dropout


class Generator(base.Generator):
    """A linear layer to a small feature map, then transposed convolutions that double its height and width.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images, H and W multiples of 2 to the number of ``hidden``.
        hidden: channels of the hidden layers, from the smallest feature map on.
        slope: LeakyReLU's slope for negative inputs.
    """

    def __init__(self, latent_dim: int, image_shape: Sequence[int], hidden: Sequence[int], slope: float = 0.2) -> None:
        super().__init__()
        channels = [*base.check_widths("hidden", hidden), image_shape[0]]
        smallest = halved(image_shape, len(channels) - 1)
        layers: list[nn.Module] = [nn.Linear(latent_dim, channels[0] * smallest[0] * smallest[1])]
        layers.append(nn.Unflatten(1, (channels[0], *smallest)))
        for n_in, n_out in pairwise(channels):
            layers += [nn.LeakyReLU(slope, inplace=True), nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return (self.layers(z) + 1) / 2


class Discriminator(base.Discriminator):
    """Convolutions that halve height and width, then a linear layer to one logit.

    Args:
        image_shape: (C, H, W) of the images, H and W multiples of 2 to the number of ``hidden``.
        hidden: channels of the hidden layers.
        slope: LeakyReLU's slope for negative inputs.
        dropout: share of hidden units dropped while training, in [0, 1).
    """

    def __init__(
        self, image_shape: Sequence[int], hidden: Sequence[int], slope: float = 0.2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        channels = [image_shape[0], *base.check_widths("hidden", hidden)]
        smallest = halved(image_shape, len(channels) - 1)
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(channels):
            layers += [nn.Conv2d(n_in, n_out, 4, stride=2, padding=1), nn.LeakyReLU(slope, inplace=True)]
            layers += [Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * smallest[0] * smallest[1], 1))

    def score(self, x: Tensor) -> Tensor:
        return self.layers(x * 2 - 1).squeeze(1)


def halved(image_shape: Sequence[int], times: int) -> tuple[int, int]:
    """Height and width, halved so many times; raises ValueError if they are not divisible."""
    _, height, width = image_shape
    factor = 2**times
    if height % factor or width % factor:
        raise ValueError(f"hidden has {times} widths, so image_size must be a multiple of {factor}, got {height}")
    return height // factor, width // factor
