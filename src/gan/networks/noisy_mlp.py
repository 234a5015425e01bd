"""Dense networks with noise between their layers: those of Salimans et al. 2016, "Improved Techniques for Training
GANs", for MNIST with few labels, after the authors' published code."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils import parametrizations

from gan.core.checks import check_number
from gan.networks import base
from gan.networks.layers import Noise
from gan.networks.normalization import Normalization, fixed_length


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
    """ReLU layers with Gaussian noise on their inputs, then one logit.

    The weights of a hidden unit have a fixed length, so that D cannot scale its features up until the noise no longer
    matters. It gives the unit's input a variance of 1 for pixels of mean square ``pixels``; the authors' code takes it
    from the outputs for the first 500 images.

    Args:
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        input_noise: standard deviation of the noise on the pixels, at least 0.
        noise: that before each later layer.
        pixels: mean square of the pixels, .1 for MNIST; above 0.
        normalization: of the weights of the last layer.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        input_noise: float = 0.3,
        noise: float = 0.5,
        pixels: float = 0.1,
        normalization: Normalization | None = None,
    ) -> None:
        super().__init__()
        check_number("(0, inf)", pixels=pixels)
        normalized = (normalization or Normalization()).weights
        widths = [math.prod(image_shape), *base.check_widths("hidden", hidden)]
        layers: list[nn.Module] = [Noise(input_noise)]
        square = pixels + input_noise**2
        for n_in, n_out in pairwise(widths):
            layer = nn.Linear(n_in, n_out)
            nn.init.normal_(layer.weight, std=(n_in * square) ** -0.5)
            nn.init.zeros_(layer.bias)
            layers += [fixed_length(layer), nn.ReLU(), Noise(noise)]
            square = 0.5 + noise**2  # of ReLU's outputs for inputs of variance 1, with noise
        self.layers = nn.Sequential(*layers, normalized(nn.Linear(widths[-1], 1)))

    def score(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1)).squeeze(1)

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-2](x.flatten(1))  # (B, hidden[-1]), before the last noise

    def perturbed(self, features: Tensor) -> Tensor:
        return self.layers[-2](features)

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-1](self.perturbed(features)).squeeze(1)
