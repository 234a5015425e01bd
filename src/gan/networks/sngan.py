"""The residual pair of Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", table 4: the
networks for CIFAR-10."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from gan.core.checks import check_integer
from gan.networks import base
from gan.networks.layers import Layer
from gan.networks.normalization import Normalization
from gan.networks.resnet import Block


class Generator(base.Generator):
    """A dense layer to 4×4 or 7×7 pixels, one residual block for each doubling, ReLU, tanh at the output.

    Weights start by Glorot and Bengio 2010, those of the residual convolutions √2 times as large, biases at 0. At
    32×32 with three image channels, ``latent_dim`` 128 and the default width there are 4,276,739 weights.

    Args:
        latent_dim: length of z, 128 in the paper.
        image_shape: (C, H, W) of the images, H = W = 4 · 2ⁿ or 7 · 2ⁿ.
        normalization: before each ReLU, or of the weights.
        width: channels of all blocks.

    Raises:
        ArgumentError: images of another size.
    """

    def __init__(
        self, latent_dim: int, image_shape: Sequence[int], normalization: Normalization | None = None, width: int = 256
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", width=width)
        smallest, doublings = base.count_doublings(image_shape)
        normalized, relu, up = normalization or Normalization(), nn.ReLU(), nn.Upsample(scale_factor=2, mode="nearest")
        blocks = [
            Block(*pair(width, width), normalized, relu, up=up, shortcut=glorot(nn.Conv2d(width, width, 1)))
            for _ in range(doublings)
        ]
        dense = glorot(nn.Linear(latent_dim, width * smallest**2))
        last = glorot(nn.Conv2d(width, image_shape[0], 3, padding=1))
        self.layers = nn.Sequential(
            *(normalized.weights(dense), nn.Unflatten(1, (width, smallest, smallest))),
            *blocks,
            *(normalized.outputs(width), relu, normalized.weights(last), nn.Tanh()),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return (self.layers(z) + 1) / 2  # (B, C, H, W)


class Discriminator(base.Discriminator):
    """Residual blocks that halve the image to 8×8 or 14×14 pixels, two that do not, ReLU, the sum over pixels, a dense
    layer.

    Weights start as those of the generator. At 32×32 with three image channels and the default width there are
    1,053,825 of them.

    Args:
        image_shape: (C, H, W) of the images, H = W = 4 · 2ⁿ or 7 · 2ⁿ.
        normalization: of all weights, in the paper; or before each ReLU of a block.
        width: channels of all blocks.

    Raises:
        ArgumentError: images of another size.
    """

    def __init__(
        self, image_shape: Sequence[int], normalization: Normalization | None = None, width: int = 128
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", width=width)
        _, halvings = base.count_doublings(image_shape)
        normalized, relu = normalization or Normalization(), nn.ReLU()
        downs = [*(nn.AvgPool2d(2) for _ in range(halvings - 1)), None, None]
        blocks: list[nn.Module] = []
        channels = image_shape[0]
        for down in downs:
            learned = down is not None or channels != width
            shortcut = glorot(nn.Conv2d(channels, width, 1)) if learned else None
            residual = pair(channels, width)
            blocks.append(Block(*residual, normalized, relu, down=down, shortcut=shortcut, activated=bool(blocks)))
            channels = width
        dense = glorot(nn.Linear(width, 1))
        self.blocks = nn.Sequential(*blocks, relu)
        self.dense = normalized.weights(dense)

    def score(self, x: Tensor) -> Tensor:
        return self.logit(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        return self.blocks(x * 2 - 1).sum((2, 3))  # over 8×8 or 14×14 pixels, (B, width)

    def logit(self, features: Tensor) -> Tensor:
        return self.dense(features).squeeze(1)  # (B,)


def pair(channels: int, width: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The two 3×3 convolutions of a residual branch."""
    first, last = nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
    return glorot(first, math.sqrt(2)), glorot(last, math.sqrt(2))


def glorot(layer: Layer, gain: float = 1.0) -> Layer:
    """The layer, in place: weights uniform with variance gain² · 2 / (inputs + outputs of a unit), biases 0."""
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
