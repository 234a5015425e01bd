"""Discriminators that are autoencoders: the score is minus the reconstruction error."""

import math
from collections.abc import Sequence

from torch import Tensor

from gan.core.batch import Batch, Output
from gan.core.checks import check_integer
from gan.networks import base
from gan.networks.layers import leaky_relu, perceptron


class AutoencoderDiscriminator(base.Discriminator):
    """Linear layers to a code and back; the energy is the mean over pixels of abs(x - x̂) ** power.

    ``Output.logits`` is minus the energy, (B,), at most 0. ``Output.features`` is the code, (B, code). EBGAN has
    power 2 (Zhao et al. 2017), BEGAN 1 (Berthelot et al. 2017).

    Args:
        image_shape: (C, H, W) of the images.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        code: width of the code.
        power: 1 or 2.
        slope: LeakyReLU's slope for negative inputs.
    """

    is_energy = True

    def __init__(
        self, image_shape: Sequence[int], hidden: Sequence[int], code: int, power: int = 2, slope: float = 0.2
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", code=code)
        check_integer("[1, 2]", power=power)
        widths = [math.prod(image_shape), *base.check_widths("hidden", hidden), code]
        self.power, self.image_shape = power, tuple(image_shape)
        self.encoder = perceptron(widths, leaky_relu(slope, inplace=False))
        self.decoder = perceptron(widths[::-1], leaky_relu(slope, inplace=False))

    def forward(self, batch: Batch) -> Output:
        assert batch.images is not None
        code = self.encoder(batch.images.flatten(1) * 2 - 1)
        difference = self.reconstruct(code) - batch.images
        energy = (difference.abs() if self.power == 1 else difference.square()).flatten(1).mean(1)
        return Output(logits=-energy, features=code)

    def reconstruct(self, code: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] of codes (B, code)."""
        return (self.decoder(code).tanh().unflatten(1, self.image_shape) + 1) / 2
