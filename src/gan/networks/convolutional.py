"""Two convolutions and two dense layers in each network: the MNIST networks of Chen et al. 2016, "InfoGAN", table 1,
without its codes. The comparison of Lucic et al. 2018, "Are GANs Created Equal?", has this size too."""

from collections.abc import Sequence

from torch import Tensor, nn

from gan.core.checks import check_integer
from gan.networks import base
from gan.networks.layers import leaky_relu, normal_gains, normal_weights
from gan.networks.normalization import Normalization

#: the standard deviation of initial weights, and that of initial gains around 1
DEVIATION = 0.02


class Generator(base.Generator):
    """Two dense layers to a quarter of the image's side, two transposed convolutions, ReLU, tanh at the output.

    Weights start as N(0, .02²), the gains of a normalization as N(1, .02²), biases at 0.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images, H = W a multiple of 4 and at least 8.
        normalization: of all layers but the last.
        width: channels of the last hidden layer; the one before it has twice as many.
        units: of the first layer.

    Raises:
        ArgumentError: images of another size.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        normalization: Normalization | None = None,
        width: int = 64,
        units: int = 1024,
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", width=width, units=units)
        quarter, normalized = quarter_side(image_shape), normalization or Normalization()
        small = (2 * width, quarter, quarter)
        first = normal_weights(nn.Linear(latent_dim, units), DEVIATION)
        second = normal_weights(nn.Linear(units, 2 * width * quarter**2), DEVIATION)
        third = normal_weights(nn.ConvTranspose2d(2 * width, width, 4, 2, 1), DEVIATION)
        last = normal_weights(nn.ConvTranspose2d(width, image_shape[0], 4, 2, 1), DEVIATION)
        self.layers = nn.Sequential(
            *(normalized(first, units), nn.ReLU(inplace=True)),
            *(normalized(second, second.out_features), nn.ReLU(inplace=True), nn.Unflatten(1, small)),
            *(normalized(third, width), nn.ReLU(inplace=True)),
            *(normalized.weights(last), nn.Tanh()),
        )
        normal_gains(self, DEVIATION)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return (self.layers(z) + 1) / 2  # (B, C, H, W)


class Discriminator(base.Discriminator):
    """Two convolutions that halve the image, two dense layers, LeakyReLU.

    Weights start as N(0, .02²), the gains of a normalization as N(1, .02²), biases at 0.

    Args:
        image_shape: (C, H, W) of the images, H = W a multiple of 4 and at least 8.
        normalization: of all layers but the first and the last, in the paper.
        width: channels of the first layer; the second has twice as many.
        units: of the third layer.
        slope: LeakyReLU's slope for negative inputs.

    Raises:
        ArgumentError: images of another size.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        normalization: Normalization | None = None,
        width: int = 64,
        units: int = 1024,
        slope: float = 0.1,
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", width=width, units=units)
        quarter, normalized = quarter_side(image_shape), normalization or Normalization()
        first = normal_weights(nn.Conv2d(image_shape[0], width, 4, 2, 1), DEVIATION)
        second = normal_weights(nn.Conv2d(width, 2 * width, 4, 2, 1), DEVIATION)
        third = normal_weights(nn.Linear(2 * width * quarter**2, units), DEVIATION)
        last = normal_weights(nn.Linear(units, 1), DEVIATION)
        self.layers = nn.Sequential(
            *(normalized.weights(first), leaky_relu(slope)),
            *(normalized(second, 2 * width), leaky_relu(slope), nn.Flatten()),
            *(normalized(third, units), leaky_relu(slope)),
            *(normalized.weights(last), nn.Flatten(0)),
        )
        normal_gains(self, DEVIATION)

    def score(self, x: Tensor) -> Tensor:
        return self.layers(x * 2 - 1)  # (B,)

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-2](x * 2 - 1)

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-2:](features)


def quarter_side(image_shape: Sequence[int]) -> int:
    """A quarter of the side of images (C, H, W); raises ArgumentError where it is no whole number above 1."""
    return base.square_side(image_shape, lambda side: side >= 8 and side % 4 == 0, "8, 12, 16, 20, 24, 28, …") // 4
