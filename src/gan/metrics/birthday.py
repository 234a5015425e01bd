"""The support size of a generator, estimated from how often two of its samples are near-duplicates.

Arora, Zhang 2017, "Do GANs actually learn the distribution? An empirical study". In the paper people decide which
images are duplicates. Here a distance threshold does, the same for samples and real images.
"""

import math

import torch
from torch import Tensor

from gan.core.checks import check_number
from gan.metrics.base import Case, Measure, Metric
from gan.metrics.distances import squared_distances, within


@torch.no_grad()
def pairs_within(points: Tensor, distance: float) -> int:
    """The number of pairs of rows of points (N, F), of N (N - 1) / 2, that are at most ``distance`` apart."""
    points, pairs, start = points.double(), 0, 0
    limit = points.new_tensor(distance**2)
    for squared in squared_distances(points, points):
        # Only columns right of the diagonal: each pair once, and no point with itself.
        some = points[start : start + len(squared)]
        pairs += int(within(squared, limit, some, points).triu(start + 1).sum())
        start += len(squared)
    return pairs


def support_size(pairs: int, samples: int) -> tuple[float, float | None]:
    """1 / P(two samples are duplicates) and its standard error; with equally likely images it is their number.

    Args:
        pairs: number of duplicate pairs found. With 0 the size is a lower bound without error: for a smaller support
            at least one pair would have been found with 95% probability (e^-3 is 5%).
        samples: number of samples, at least 2. With more pairs than samples, the pairs share samples and are not
            independent: then there is no error either.
    """
    possible = samples * (samples - 1) / 2
    if pairs == 0:
        return possible / 3, None
    return possible / pairs, possible / pairs / math.sqrt(pairs) if pairs <= samples else None


class Birthday(Metric):
    """:func:`support_size`, where two samples within a threshold distance in feature space are duplicates.

    Args:
        quantile: sets the threshold: this share of test images has a training image within it, in (0, 1). Copies of
            training images among the test images do not count: they say nothing about how near new images come.
    """

    better = "higher"

    def __init__(self, quantile: float = 0.01) -> None:
        check_number("(0, 1)", quantile=quantile)
        self.quantile = quantile

    def __call__(self, case: Case) -> list[Measure]:
        nearest = case.test.distances_to(case.train)
        new = nearest[nearest > 0]
        distance = float(new.quantile(self.quantile)) if len(new) else 0.0
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
