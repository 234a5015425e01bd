"""The fully connected G, E and D of BiGAN on MNIST without its geometry.

Donahue, Krähenbühl, Darrell 2017, "Adversarial Feature Learning", section 4.1, and the authors' code: z is added to
every hidden layer, batch normalization has neither gain nor shift, and D's last layer starts at 0. Deviation: layers
without batch normalization have biases.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.core.batch import Batch, Output
from gan.core.checks import check_number
from gan.networks import base
from gan.networks.layers import leaky_relu, normal_weights


class Hidden(nn.Module):
    """Hidden layers, all but the first with a second input: activation(norm(W h + V z)).

    Args:
        inputs: width of the first input.
        hidden: widths of the layers.
        activation: applied after each layer.
        z: width of the second input; 0 for none.
        batch_norm: whether all layers but the first are normalized.
        first: whether the first one is, too.
        deviation: weights start from N(0, deviation²).
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        activation: nn.Module,
        z: int = 0,
        batch_norm: bool = True,
        first: bool = False,
        deviation: float = 0.02,
    ) -> None:
        super().__init__()
        check_number("(0, inf)", deviation=deviation)
        widths = [inputs, *base.check_widths("hidden", hidden)]
        normed = [batch_norm and (first or i > 0) for i in range(len(widths) - 1)]
        self.layers, self.of_z, self.norms = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for (n_in, n_out), norm in zip(pairwise(widths), normed, strict=True):
            self.layers.append(normal_weights(nn.Linear(n_in, n_out, bias=not norm), deviation))
            self.norms.append(nn.BatchNorm1d(n_out, affine=False) if norm else nn.Identity())
        for width in widths[2:] if z else ():
            self.of_z.append(normal_weights(nn.Linear(z, width, bias=False), deviation))
        self.activation, self.width = activation, widths[-1]

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """(B, hidden[-1]) for x (B, inputs) and z (B, z)."""
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            x = layer(x)
            if i and z is not None:
                x = x + self.of_z[i - 1](z)
            x = self.activation(norm(x))
        return x


class Generator(base.Generator):
    """ReLU layers, each with z as an input, and a sigmoid.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        batch_norm: whether the hidden layers are normalized.
        deviation: weights start from N(0, deviation²).
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        batch_norm: bool = True,
        deviation: float = 0.02,
    ) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.hidden = Hidden(latent_dim, hidden, nn.ReLU(), latent_dim, batch_norm, True, deviation)
        self.last = normal_weights(nn.Linear(self.hidden.width, math.prod(self.image_shape)), deviation)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.last(self.hidden(z, z)).sigmoid().unflatten(1, self.image_shape)  # (B, C, H, W)


class Encoder(base.Encoder):
    """LeakyReLU layers, then the code; all hidden layers but the first are normalized.

    Args:
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        latent_dim: length of a code.
        bound: codes are bound · tanh(u / 2), as the authors squash those of a uniform z; None for u itself.
        batch_norm: whether the hidden layers but the first are normalized.
        slope: LeakyReLU's slope for negative inputs.
        deviation: weights start from N(0, deviation²).
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        latent_dim: int,
        bound: float | None = None,
        batch_norm: bool = True,
        slope: float = 0.2,
        deviation: float = 0.02,
    ) -> None:
        super().__init__()
        check_number("(0, inf)", or_none=True, bound=bound)
        self.bound = bound
        activation = leaky_relu(slope, inplace=False)
        self.hidden = Hidden(math.prod(image_shape), hidden, activation, 0, batch_norm, False, deviation)
        self.last = normal_weights(nn.Linear(self.hidden.width, latent_dim), deviation)

    def forward(self, images: Tensor) -> Tensor:
        u = self.last(self.features(images))
        return u if self.bound is None else self.bound * torch.tanh(u / 2)

    def features(self, images: Tensor) -> Tensor:
        return self.hidden(images.flatten(1))  # (B, hidden[-1])


class Discriminator(base.Discriminator):
    """Tells pairs (image, z) of two kinds apart: LeakyReLU layers of the image, all but the first with z, one logit.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers, at least two.
        batch_norm: whether the hidden layers but the first are normalized, over a batch of one kind.
        slope: LeakyReLU's slope for negative inputs.
        deviation: weights start from N(0, deviation²), those of the last layer at 0.
    """

    needs_z = True

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        hidden: Sequence[int],
        batch_norm: bool = True,
        slope: float = 0.2,
        deviation: float = 0.02,
    ) -> None:
        super().__init__()
        if len(base.check_widths("hidden", hidden)) < 2:
            raise ValueError(f"hidden needs two layers or more, of which all but the first get z, got {list(hidden)}")
        activation = leaky_relu(slope, inplace=False)
        self.hidden = Hidden(math.prod(image_shape), hidden, activation, latent_dim, batch_norm, False, deviation)
        self.last = nn.Linear(self.hidden.width, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, batch: Batch) -> Output:
        assert batch.images is not None
        assert batch.z is not None
        features = self.hidden(batch.images.flatten(1), batch.z)
        return Output(logits=self.last(features).squeeze(1), features=features)
