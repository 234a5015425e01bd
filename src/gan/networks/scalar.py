"""Small networks for numbers rather than images: nothing squashes their output into [0, 1].

Made for one dimension (``data=gaussian latent.dim=1``), where the theory of the paper's section 4 can be drawn;
they take any image shape.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan.core.checks import check_number
from gan.networks import base
from gan.networks.layers import perceptron


class Affine(base.Generator):
    """x = deviation · z + mean at the start, and any affine map of z after that.

    In one dimension with Gaussian noise G's density is N(mean, deviation²) and its optimum is the data's.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of what is drawn.
        mean, deviation: of each number drawn from noise of zero mean and unit variance, before training; with
            fewer coordinates of z than numbers the remaining numbers start constant.
    """

    def __init__(self, latent_dim: int, image_shape: Sequence[int], mean: float = 0.0, deviation: float = 1.0) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.layer = nn.Linear(latent_dim, math.prod(self.image_shape))
        with torch.no_grad():
            nn.init.eye_(self.layer.weight).mul_(deviation)
            self.layer.bias.fill_(mean)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layer(z).unflatten(1, self.image_shape)  # (B, C, H, W)


class Generator(base.Generator):
    """An affine map plus hidden layers with softplus that bend it: x = W z + b + h(z), without bounds.

    h is 0 before training, so that G starts as the affine map: a random h would fold the line, and unfolding it
    again is beyond a gradient method.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of what is drawn.
        hidden: widths of the hidden layers.
        mean, deviation: before training, as for :class:`Affine`.
        sharpness: of the softplus; the larger, the nearer to a rectifier.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        mean: float = 0.0,
        deviation: float = 1.0,
        sharpness: float = 1.0,
    ) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.affine = Affine(latent_dim, image_shape, mean, deviation)
        widths = [latent_dim, *base.check_widths("hidden", hidden), math.prod(self.image_shape)]
        self.layers = perceptron(widths, softplus(sharpness))
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.affine(z) + self.layers(z).unflatten(1, self.image_shape)  # (B, C, H, W)


class Discriminator(base.Discriminator):
    """Hidden layers with softplus on the standardized values, one logit at the end.

    Args:
        image_shape: (C, H, W) of the values.
        hidden: widths of the hidden layers.
        center, scale: the network sees (x - center) / scale; the scale is positive.
        sharpness: of the softplus; the larger, the nearer to a rectifier.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        center: float = 0.5,
        scale: float = 0.5,
        sharpness: float = 1.0,
    ) -> None:
        super().__init__()
        check_number("(0, inf)", scale=scale)
        self.center, self.scale = center, scale
        widths = [math.prod(image_shape), *base.check_widths("hidden", hidden), 1]
        self.layers = perceptron(widths, softplus(sharpness))

    def score(self, x: Tensor) -> Tensor:
        return self.layers((x.flatten(1) - self.center) / self.scale).squeeze(1)


def softplus(sharpness: float) -> nn.Softplus:
    """log(1 + exp(sharpness · x)) / sharpness, smooth, without bound.

    Raises ValueError unless the sharpness is positive.
    """
    check_number("(0, inf)", sharpness=sharpness)
    return nn.Softplus(beta=sharpness)
