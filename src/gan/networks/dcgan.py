"""The convolutional pair of Radford, Metz, Chintala 2016, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks"."""

from collections.abc import Sequence

from torch import Tensor, nn

from gan.core.checks import check_integer
from gan.networks import base
from gan.networks.layers import leaky_relu, normal_gains, normal_weights
from gan.networks.normalization import Normalization

#: the standard deviation of initial weights, and that of initial gains around 1
DEVIATION = 0.02


class Generator(base.Generator):
    """z as 1×1 pixels to 4×4 or 7×7 by one transposed convolution, then doubled by others until it is an image.

    The channels are ``width`` before the last layer and double with each layer towards z: at 64×64 and width 128 they
    are 1024, 512, 256, 128, the paper's. ReLU, tanh at the output. Weights start as N(0, .02²), the gains of a
    normalization as N(1, .02²), biases at 0.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images, H = W = 4 · 2ⁿ or 7 · 2ⁿ.
        normalization: of all layers but the last.
        width: channels before the last layer.

    Raises:
        ArgumentError: images of another size.
    """

    def __init__(
        self, latent_dim: int, image_shape: Sequence[int], normalization: Normalization | None = None, width: int = 128
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", width=width)
        smallest, doublings = base.count_doublings(image_shape)
        normalized = normalization or Normalization()
        layers: list[nn.Module] = [nn.Unflatten(1, (latent_dim, 1, 1))]
        channels, kernel, stride, padding = latent_dim, smallest, 1, 0
        for n in reversed(range(doublings)):
            layer = nn.ConvTranspose2d(channels, width * 2**n, kernel, stride, padding)
            layers += [normalized(normal_weights(layer, DEVIATION), width * 2**n), nn.ReLU(inplace=True)]
            channels, kernel, stride, padding = width * 2**n, 4, 2, 1
        last = normal_weights(nn.ConvTranspose2d(channels, image_shape[0], kernel, stride, padding), DEVIATION)
        self.layers = nn.Sequential(*layers, normalized.weights(last), nn.Tanh())
        normal_gains(self, DEVIATION)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return (self.layers(z) + 1) / 2  # (B, C, H, W)


class Discriminator(base.Discriminator):
    """Convolutions that halve the image until it has 4×4 or 7×7 pixels, then one over all of them.

    The channels are ``width`` after the first layer and double with each: the generator's mirror image. LeakyReLU.
    Weights start as N(0, .02²), the gains of a normalization as N(1, .02²), biases at 0.

    Args:
        image_shape: (C, H, W) of the images, H = W = 4 · 2ⁿ or 7 · 2ⁿ.
        normalization: of all layers but the first and the last, in the paper.
        width: channels after the first layer.
        slope: LeakyReLU's slope for negative inputs.

    Raises:
        ArgumentError: images of another size.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        normalization: Normalization | None = None,
        width: int = 128,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", width=width)
        smallest, halvings = base.count_doublings(image_shape)
        normalized = normalization or Normalization()
        layers: list[nn.Module] = []
        channels = image_shape[0]
        for n in range(halvings):
            layer = normal_weights(nn.Conv2d(channels, width * 2**n, 4, 2, 1), DEVIATION)
            channels = width * 2**n
            layers += [normalized(layer, channels) if n else normalized.weights(layer)]
            layers += [leaky_relu(slope)]
        last = normal_weights(nn.Conv2d(channels, 1, smallest), DEVIATION)
        self.layers = nn.Sequential(*layers, normalized.weights(last), nn.Flatten(0))
        normal_gains(self, DEVIATION)

    def score(self, x: Tensor) -> Tensor:
        return self.layers(x * 2 - 1)  # (B,)

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-2](x * 2 - 1)

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-2:](features)
