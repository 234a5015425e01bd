"""How many different images a generator draws, from how often two of its samples are alike.

Arora, Zhang 2017, "Do GANs actually learn the distribution? An empirical study". The paper has people judge what
is alike; here a distance does, the same for samples and real images.
"""

import math

import torch
from torch import Tensor

from gan.core.checks import check_number
from gan.metrics.base import Case, Measure, Metric
from gan.metrics.distances import squared_distances


@torch.no_grad()
def pairs_within(points: Tensor, distance: float) -> int:
    """How many of the N (N - 1) / 2 pairs of rows of points (N, F) are at most ``distance`` apart."""
    points, pairs, start = points.double(), 0, 0
    for squared in squared_distances(points, points):
        # Each pair once, and no point with itself: columns right of the diagonal.
        pairs += int((squared <= distance**2).triu(start + 1).sum())
        start += len(squared)
    return pairs


def support_size(pairs: int, samples: int) -> tuple[float, float | None]:
    """1 / P(two samples are alike), the number of images for equally likely ones, and its standard error.

    Args:
        pairs: alike ones that were found; with none the size is a lower bound, below which there would have been
            one with 95% chance (e^-3 is 5%), and has no error.
        samples: at least 2. With more pairs than samples, pairs share samples and depend on one another: then
            there is no error either.
    """
    possible = samples * (samples - 1) / 2
    if pairs == 0:
        return possible / 3, None
    return possible / pairs, possible / pairs / math.sqrt(pairs) if pairs <= samples else None


class Birthday(Metric):
    """:func:`support_size`, two samples being alike where real images of their distance would be remarkably near.

    Args:
        quantile: the share of test images that have a training image within the distance, in (0, 1).
    """

    better = "higher"

    def __init__(self, quantile: float = 0.01) -> None:
        check_number("(0, 1)", quantile=quantile)
        self.quantile = quantile

    def __call__(self, case: Case) -> list[Measure]:
        distance = float(case.test.distances_to(case.train).quantile(self.quantile))
        pairs = pairs_within(case.samples.features, distance)
        value, error = support_size(pairs, len(case.samples))
        details = {
            "standard_error_over": "pairs",
            "quantile": self.quantile,
            "training_images": len(case.train),
            "test_images": len(case.test),
        }
        found = {
            "pairs": pairs,
            "distance": distance,
            "lower_bound": pairs == 0,
            "even_chance_of_a_pair_among": round(math.sqrt(2 * math.log(2) * value)),
        }
        return [Measure("support_size", value, "images", error, details, found)]
