"""A prior that is trained with G: points in z."""

import torch
from torch import Tensor, nn

from gan.core.checks import check_integer, check_number
from gan.core.random import RandomRows
from gan.networks.base import Network
from gan.networks.latents import Latent
from gan.networks.layers import one_hot


class Learned(Latent, Network):
    """z is one of ``points`` vectors, each as likely as the others, plus Gaussian noise; G's player trains the vectors.

    As many vectors as the data has modes let G map each to one of them. They start from N(0, I). Nothing keeps them
    apart but a term such as ``auxiliary=spread``.

    Args:
        dim: the number of coordinates, at least 1.
        points: number of vectors, at least 1.
        deviation: standard deviation of the noise in each coordinate, at least 0.
    """

    def __init__(self, dim: int, points: int, deviation: float = 0.1) -> None:
        Network.__init__(self)
        Latent.__init__(self, dim)
        check_integer("[1, inf)", points=points)
        check_number("[0, inf)", deviation=deviation)
        self.points, self.deviation = nn.Parameter(torch.randn(points, dim)), deviation

    def draw(self, random: RandomRows, count: int) -> Tensor:
        """``count`` latents, float32 (count, dim), with a gradient for the vectors."""
        chosen = one_hot(random.integers(len(self.points), count), len(self.points))
        # A product, because the gradient of indexing is not reproducible on every device.
        return chosen @ self.points.to(chosen.device) + self.deviation * random.normal(count, self.dim)
