"""Dense networks with noise between their layers: those of Salimans et al. 2016, "Improved Techniques for Training
GANs", for MNIST with few labels, after the authors' published code."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils import parametrizations

from gan.networks import base
from gan.networks.layers import Noise
from gan.networks.normalization import Normalization
from gan.networks.resnet import he_weights


class Generator(base.Generator):
    """Dense layers, each with batch normalization and then softplus, and a sigmoid layer with normalized weights.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
    """

    def __init__(self, latent_dim: int, image_shape: Sequence[int], hidden: Sequence[int]) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        widths = [latent_dim, *base.check_widths("hidden", hidden)]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out), nn.Softplus()]
        last = parametrizations.weight_norm(nn.Linear(widths[-1], math.prod(self.image_shape)))
        self.layers = nn.Sequential(*layers, last, nn.Sigmoid())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(z).unflatten(1, self.image_shape)  # (B, C, H, W)


class Discriminator(base.Discriminator):
    """ReLU layers with Gaussian noise on their inputs, then one logit. Weights start by He et al. 2015.

    In place of that start the authors' code scales each layer by its outputs for the first 500 images.

    Args:
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        input_noise: standard deviation of the noise on the pixels, at least 0.
        noise: that before each later layer.
        normalization: of all weights.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        input_noise: float = 0.3,
        noise: float = 0.5,
        normalization: Normalization | None = None,
    ) -> None:
        super().__init__()
        normalized = (normalization or Normalization()).weights
        widths = [math.prod(image_shape), *base.check_widths("hidden", hidden)]
        layers: list[nn.Module] = [Noise(input_noise)]
        for n_in, n_out in pairwise(widths):
            layers += [normalized(he_weights(nn.Linear(n_in, n_out), 0.0)), nn.ReLU(), Noise(noise)]
        self.layers = nn.Sequential(*layers, normalized(nn.Linear(widths[-1], 1)))

    def score(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1)).squeeze(1)

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-2](x.flatten(1))  # (B, hidden[-1]), before the last noise

    def perturbed(self, features: Tensor) -> Tensor:
        return self.layers[-2](features)

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-1](self.perturbed(features)).squeeze(1)
