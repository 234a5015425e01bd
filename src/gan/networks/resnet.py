"""Residual networks without normalization, of the size that ablations on stacked MNIST use.

The principles are those of Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline", section 3:
LeakyReLU, bilinear resampling, and the Fixup initialization of Zhang, Dauphin, Ma 2019 in place of normalization. The
blocks are plain ones of two convolutions; the paper's have three, with groups.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from gan.core.checks import check_integer
from gan.networks import base
from gan.networks.layers import Layer, leaky_relu
from gan.networks.normalization import Normalization


class Block(nn.Module):
    """x + residual(x), where residual is: normalize, activate, convolve, normalize, activate, convolve.

    Args:
        first, last: the convolutions, their weights initialized.
        normalization: before each activation, or of the weights.
        activation: has no weights.
        up: resamples before the convolutions.
        down: resamples after them.
        shortcut: a 1×1 convolution of x; None where residual(x) has as many channels and it is to stay as it is.
        activated: whether the block begins with normalization and activation; a discriminator's first one does not.
    """

    def __init__(
        self,
        first: nn.Conv2d,
        last: nn.Conv2d,
        normalization: Normalization,
        activation: nn.Module,
        up: nn.Module | None = None,
        down: nn.Module | None = None,
        shortcut: nn.Conv2d | None = None,
        activated: bool = True,
    ) -> None:
        super().__init__()
        before, after = up or nn.Identity(), down or nn.Identity()
        begin = [normalization.outputs(first.in_channels), activation] if activated else []
        self.residual = nn.Sequential(
            *begin,
            before,
            normalization.weights(first),
            normalization.outputs(first.out_channels),
            activation,
            normalization.weights(last),
            after,
        )
        # 1×1 convolutions and resampling can change places: the convolution is where there are fewer pixels.
        convolution = nn.Identity() if shortcut is None else normalization.weights(shortcut)
        self.shortcut = nn.Sequential(after, convolution, before)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.residual(x)


class Generator(base.Generator):
    """A dense layer to 4×4 or 7×7 pixels, residual blocks at each side up to the image's, tanh at the output.

    Each side but the smallest begins with a block that doubles the image. Weights start by He et al. 2015; in a block
    the first convolution is divided by √L for L blocks, and the last one starts at 0, so that each block starts as its
    shortcut (not with spectral normalization, which cancels factors).

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images, H = W = 4 · 2ⁿ or 7 · 2ⁿ.
        normalization: before each activation of a block, or of the weights.
        width: channels of all blocks.
        blocks: residual blocks at each side, at least 1.
        slope: LeakyReLU's slope for negative inputs.
        upsampling: how an image is doubled, a mode of torch.nn.Upsample: bilinear, nearest, bicubic.

    Raises:
        ArgumentError: images of another size.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        normalization: Normalization | None = None,
        width: int = 64,
        blocks: int = 1,
        slope: float = 0.2,
        upsampling: str = "bilinear",
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", width=width, blocks=blocks)
        smallest, doublings = base.count_doublings(image_shape)
        normalized, activation = normalization or Normalization(), leaky_relu(slope, inplace=False)
        up = nn.Upsample(scale_factor=2, mode=upsampling)
        count = blocks * (doublings + 1)
        layers: list[nn.Module] = []
        for n in range(count):
            resampling = up if n >= blocks and n % blocks == 0 else None
            layers.append(Block(*fixup_pair(width, count, slope, normalized), normalized, activation, up=resampling))
        dense = he_weights(nn.Linear(latent_dim, width * smallest**2))
        last = he_weights(nn.Conv2d(width, image_shape[0], 3, padding=1), slope)
        self.layers = nn.Sequential(
            *(normalized.weights(dense), nn.Unflatten(1, (width, smallest, smallest))),
            *layers,
            *(normalized.outputs(width), activation, normalized.weights(last), nn.Tanh()),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return (self.layers(z) + 1) / 2  # (B, C, H, W)


class Discriminator(base.Discriminator):
    """A convolution, residual blocks at each side down to 4×4 or 7×7 pixels, a dense layer.

    Each side but the smallest ends with a block that halves the image by means of 2×2 pixels. Weights start as those
    of the generator.

    Args:
        image_shape: (C, H, W) of the images, H = W = 4 · 2ⁿ or 7 · 2ⁿ.
        normalization: before each activation of a block, or of the weights.
        width: channels of all blocks.
        blocks: residual blocks at each side, at least 1.
        slope: LeakyReLU's slope for negative inputs.

    Raises:
        ArgumentError: images of another size.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        normalization: Normalization | None = None,
        width: int = 64,
        blocks: int = 1,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", width=width, blocks=blocks)
        smallest, halvings = base.count_doublings(image_shape)
        normalized, activation = normalization or Normalization(), leaky_relu(slope, inplace=False)
        count = blocks * (halvings + 1)
        layers: list[nn.Module] = []
        for n in range(1, count + 1):
            down = nn.AvgPool2d(2) if n % blocks == 0 and n < count else None
            layers.append(Block(*fixup_pair(width, count, slope, normalized), normalized, activation, down=down))
        first = he_weights(nn.Conv2d(image_shape[0], width, 3, padding=1))
        dense = he_weights(nn.Linear(width * smallest**2, 1), slope)
        self.layers = nn.Sequential(
            normalized.weights(first),
            *layers,
            *(normalized.outputs(width), activation, nn.Flatten(), normalized.weights(dense), nn.Flatten(0)),
        )

    def score(self, x: Tensor) -> Tensor:
        return self.layers(x * 2 - 1)  # (B,)

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-2](x * 2 - 1)

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-2:](features)


def fixup_pair(width: int, blocks: int, slope: float, normalization: Normalization) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The two 3×3 convolutions of a block in a network of so many (Zhang, Dauphin, Ma 2019, section 3).

    With m convolutions in a block, all but the last are multiplied by blocks^(-1 / (2m - 2)), and the last by 0. Where
    a normalization cancels scales, none is multiplied.
    """
    factors = (1.0, 1.0) if normalization.cancels_scale else (1 / math.sqrt(blocks), 0.0)
    first, last = (he_weights(nn.Conv2d(width, width, 3, padding=1), slope, factor) for factor in factors)
    return first, last


def he_weights(layer: Layer, slope: float = 1.0, factor: float = 1.0) -> Layer:
    """The layer, in place: weights from N(0, factor² · 2 / ((1 + slope²) · inputs of a unit)), biases 0.

    Args:
        layer: dense or convolutional.
        slope: LeakyReLU's slope before the layer; 1 where there is none.
        factor: of the standard deviation.
    """
    nn.init.kaiming_normal_(layer.weight, a=slope)
    nn.init.zeros_(layer.bias)
    layer.weight.data.mul_(factor)
    return layer
