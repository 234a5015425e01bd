"""Fully connected G and D of the paper's MNIST experiment, from the authors' published configuration."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.networks import base
from gan.networks.layers import Dense, Dropout, Maxout, uniform_linear


class Generator(base.Generator):
    """ReLU layers and a sigmoid output, whose bias starts at the logit of the mean image.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        init_range: weights start uniform on [-init_range, init_range], biases at 0.
    """

    def __init__(self, latent_dim: int, image_shape: Sequence[int], hidden: Sequence[int], init_range: float) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        widths = [latent_dim, *base.check_widths("hidden", hidden)]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [uniform_linear(n_in, n_out, init_range), nn.ReLU(inplace=True)]
        self.hidden = nn.Sequential(*layers)
        self.output = uniform_linear(widths[-1], math.prod(self.image_shape), init_range)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.output(self.hidden(z)).sigmoid().unflatten(1, self.image_shape)  # (B, C, H, W)

    def adapt_to_data(self, mean_image: Callable[[], Tensor]) -> None:
        """Sets the output bias to logit(mean image), so that an untrained G generates the mean image.

        Pixels that are always black or white are clamped 1e-7 away from 0 and 1, as in pylearn2.
        """
        with torch.no_grad():
            self.output.bias.copy_(mean_image().flatten().clamp(1e-7, 1 - 1e-7).logit())


class Discriminator(base.Discriminator):
    """Maxout layers with dropout on the input and after each layer, then one logit.

    Args:
        image_shape: (C, H, W) of the images.
        hidden: number of maxout units of each hidden layer.
        pieces: linear functions per maxout unit.
        init_range: weights start uniform on [-init_range, init_range], biases at 0.
        input_dropout: share of pixels dropped in training, in [0, 1).
        hidden_dropout: share of hidden units dropped in training, in [0, 1).
        max_norm: the largest norm of any unit's incoming weights, or None.
        centre, spread: the input is (pixel - centre) / spread.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        pieces: int,
        init_range: float,
        input_dropout: float,
        hidden_dropout: float,
        max_norm: float | None = None,
        centre: float = 0.0,
        spread: float = 1.0,
    ) -> None:
        super().__init__()
        self.centre, self.spread = centre, spread
        widths = [math.prod(image_shape), *base.check_widths("hidden", hidden)]
        layers: list[nn.Module] = [Dropout(input_dropout)]
        for n_in, n_out in pairwise(widths):
            layers += [Maxout(n_in, n_out, pieces, init_range, max_norm), Dropout(hidden_dropout)]
        self.layers = nn.Sequential(*layers, Dense(widths[-1], 1, nn.Identity(), init_range, max_norm=max_norm))

    def score(self, x: Tensor) -> Tensor:
        return self.layers((x.flatten(1) - self.centre) / self.spread).squeeze(1)

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-1]((x.flatten(1) - self.centre) / self.spread)  # (B, hidden[-1])

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-1](features).squeeze(1)
