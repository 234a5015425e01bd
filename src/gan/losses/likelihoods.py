"""Distributions of an image around a generator's output: -log p(x | z) in nats."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from gan.core.checks import check_number


class Likelihood(ABC):
    """p(x | z), given the generator's output for z."""

    #: whether it is defined for pixels in [0, 1] alone
    needs_pixels: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, outputs: Tensor, images: Tensor) -> Tensor:
        """-log p(x | z), summed over pixels and averaged over images, a scalar.

        Args:
            outputs: of the generator, float32 (B, C, H, W).
            images: x, float32 (B, C, H, W) in [0, 1].
        """


class Bernoulli(Likelihood):
    """Independent pixels, 1 with the generator's output as probability (Kingma and Welling 2014, appendix C.1).

    Pixels between 0 and 1 count as probabilities; the result then is no likelihood, and its least value not 0.
    """

    needs_pixels = True

    def __call__(self, outputs: Tensor, images: Tensor) -> Tensor:
        with torch.autocast(outputs.device.type, enabled=False):  # autocast refuses this function on GPUs
            each = binary_cross_entropy(outputs, images, reduction="none")
        return each.flatten(1).sum(1).mean()


class Gaussian(Likelihood):
    """Independent pixels from N(generator's output, deviation²) (Kingma and Welling 2014, appendix C.2).

    Args:
        deviation: σ, positive, the same for all pixels. A smaller one weighs the reconstruction more against a prior.
    """

    def __init__(self, deviation: float = 0.2) -> None:
        check_number("(0, inf)", deviation=deviation)
        self.deviation = deviation

    def __call__(self, outputs: Tensor, images: Tensor) -> Tensor:
        constant = math.log(self.deviation) + 0.5 * math.log(2 * math.pi)  # per pixel
        squared = ((outputs - images) / self.deviation).square().flatten(1).sum(1).mean()
        return 0.5 * squared + constant * images[0].numel()


class SquaredError(Likelihood):
    """Half the squared error, a Gaussian of deviation 1 without its constant: the error of plain autoencoders."""

    def __call__(self, outputs: Tensor, images: Tensor) -> Tensor:
        return 0.5 * (outputs - images).square().flatten(1).sum(1).mean()
