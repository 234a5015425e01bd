"""Small networks for numbers instead of images: their output is not limited to [0, 1].

They are meant for one dimension (``data=gaussian latent.dim=1``), where the theory of the paper's section 4 can be
plotted. They accept any image shape.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan.core.checks import check_number
from gan.networks import base
from gan.networks.layers import perceptron


class Affine(base.Generator):
    """An affine map of z, which starts as x = deviation · z + mean.

    In one dimension with a Gaussian prior G's density is N(mean, deviation²); at the optimum it is the data's density.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the samples.
        mean, deviation: of each output value before training, for a prior of zero mean and unit variance. If z has
            fewer coordinates than the output has values, the remaining values start constant.
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
    """An affine map plus a softplus MLP h: x = W z + b + h(z), unbounded.

    h is 0 before training, so that G starts as the affine map. A random h would make G non-monotone, and gradient
    descent does not undo that.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the samples.
        hidden: widths of the hidden layers.
        mean, deviation: before training, as for :class:`Affine`.
        sharpness: of the softplus; larger is closer to ReLU.
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
    """Softplus hidden layers on the standardized values, then one logit.

    Args:
        image_shape: (C, H, W) of the values.
        hidden: widths of the hidden layers.
        center, scale: the input is (x - center) / scale; the scale is positive.
        sharpness: of the softplus; larger is closer to ReLU.
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

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-1]((x.flatten(1) - self.center) / self.scale)  # (B, hidden[-1])

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-1](features).squeeze(1)


def softplus(sharpness: float) -> nn.Softplus:
    """log(1 + exp(sharpness · x)) / sharpness: smooth and unbounded.

    Raises ValueError unless the sharpness is positive.
    """
    check_number("(0, inf)", sharpness=sharpness)
    return nn.Softplus(beta=sharpness)
