"""The discriminator of the one-dimensional tutorial: its input is four moments of a batch."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.networks import base


class Discriminator(base.Discriminator):
    """An MLP on a batch's mean, standard deviation, skewness and excess kurtosis; all examples get the same logit.

    Args:
        hidden: widths of the hidden layers, with sigmoid units.
    """

    mixes_batch = True

    def __init__(self, hidden: Sequence[int]) -> None:
        super().__init__()
        widths = [4, *base.check_widths("hidden", hidden)]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out), nn.Sigmoid()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def score(self, x: Tensor) -> Tensor:
        return self.layers(moments(x)).expand(len(x))


def moments(x: Tensor) -> Tensor:
    """Mean, standard deviation, skewness and excess kurtosis (fourth moment minus 3) of all values, (4,)."""
    x = x.flatten()
    mean = x.mean()
    deviation = (x - mean).square().mean().add(1e-12).sqrt()  # finite gradient where all values are equal
    standard = (x - mean) / deviation
    return torch.stack([mean, deviation, standard.pow(3).mean(), standard.pow(4).mean() - 3])
