"""The convolutional pair of a textbook for MNIST: Raschka, Liu, Mirjalili 2022, "Machine Learning with PyTorch and
Scikit-Learn", chapter 17."""

from collections.abc import Sequence

from torch import Tensor, nn

from gan.core.checks import check_integer
from gan.networks import base
from gan.networks.layers import leaky_relu
from gan.networks.normalization import Normalization


class Generator(base.Generator):
    """Four transposed convolutions without biases, 1×1 → 4×4 → 7×7 → 14×14 → 28×28, LeakyReLU, tanh at the output.

    Weights start as torch starts them. With the default width, ``latent_dim`` 100 and one image channel there are
    312,256 of them with batch normalization and 311,808 with instance normalization, as the book has them.

    Args:
        latent_dim: length of z.
        image_shape: (C, 28, 28).
        normalization: of the hidden layers.
        width: channels of the last hidden layer, 32 in the book; those before it have two and four times as many.
        slope: LeakyReLU's slope for negative inputs.

    Raises:
        ArgumentError: images of another size.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        normalization: Normalization | None = None,
        width: int = 32,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        check_side(image_shape)
        check_integer("[1, inf)", width=width)
        normalized = normalization or Normalization()
        self.layers = nn.Sequential(
            nn.Unflatten(1, (latent_dim, 1, 1)),
            normalized(nn.ConvTranspose2d(latent_dim, 4 * width, 4, bias=False), 4 * width),
            leaky_relu(slope),
            normalized(nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, bias=False), 2 * width),
            leaky_relu(slope),
            normalized(nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), width),
            leaky_relu(slope),
            normalized.weights(nn.ConvTranspose2d(width, image_shape[0], 4, 2, 1, bias=False)),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return (self.layers(z) + 1) / 2  # (B, C, 28, 28)


class Discriminator(base.Discriminator):
    """Four convolutions without biases, 28×28 → 14×14 → 7×7 → 4×4 → 1×1, LeakyReLU.

    Weights start as torch starts them. With the default width and one image channel there are 109,440 of them with
    batch normalization and 109,056 with instance normalization, as the book has them.

    Args:
        image_shape: (C, 28, 28).
        normalization: of the second and third layer.
        width: channels of the first layer, 32 in the book; the others have two and four times as many.
        slope: LeakyReLU's slope for negative inputs.
        sigmoid: whether scores pass a sigmoid and are in (0, 1), as those of the book's Wasserstein critic. Losses on
            logits need it off.

    Raises:
        ArgumentError: images of another size.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        normalization: Normalization | None = None,
        width: int = 32,
        slope: float = 0.2,
        sigmoid: bool = False,
    ) -> None:
        super().__init__()
        check_side(image_shape)
        check_integer("[1, inf)", width=width)
        normalized = normalization or Normalization()
        self.layers = nn.Sequential(
            normalized.weights(nn.Conv2d(image_shape[0], width, 4, 2, 1, bias=False)),
            leaky_relu(slope),
            normalized(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), 2 * width),
            leaky_relu(slope),
            normalized(nn.Conv2d(2 * width, 4 * width, 3, 2, 1, bias=False), 4 * width),
            leaky_relu(slope),
            normalized.weights(nn.Conv2d(4 * width, 1, 4, bias=False)),
            nn.Sigmoid() if sigmoid else nn.Identity(),
            nn.Flatten(0),
        )

    def score(self, x: Tensor) -> Tensor:
        return self.layers(x * 2 - 1)  # (B,)

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-3](x * 2 - 1)

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-3:](features)


def check_side(image_shape: Sequence[int]) -> None:
    """Raises ArgumentError unless images (C, H, W) are 28×28."""
    base.square_side(image_shape, (28).__eq__, "28 (model=dcgan takes other sizes)")
