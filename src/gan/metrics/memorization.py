"""Whether samples lie nearer to the training images than new real images do.

Meehan, Chaudhuri, Dasgupta 2020, "A Three Sample Hypothesis Test for Evaluating Generative Models", section 4.
"""

import math

import torch
from torch import Tensor

from gan.metrics.base import Case, Measure, Metric


def share_nearer(samples: Tensor, test: Tensor) -> tuple[float, float]:
    """The chance that a sample lies nearer to the training images than a test image does, ties counting half.

    The Mann-Whitney statistic over its largest value: ½ where samples are as far as new images, 1 where
    every one is nearer. And its standard error where both are alike, √((N + M + 1) / (12 N M)).

    Args:
        samples, test: distances to the nearest training image, (N,) and (M,).
    """
    test = test.sort().values
    farther = len(test) - torch.searchsorted(test, samples, right=True)
    equal = torch.searchsorted(test, samples, right=True) - torch.searchsorted(test, samples)
    share = (farther.double() + equal.double() / 2).mean() / len(test)
    n, m = len(samples), len(test)
    return float(share), math.sqrt((n + m + 1) / (12 * n * m))


class Memorization(Metric):
    """:func:`share_nearer` in feature space; its floor is scored by the validation images.

    Near ½ the samples keep the distance of new images; well above, they are copies, or blurred towards what
    all images share; well below, they lie off the data.
    """

    floor = "valid"

    def __call__(self, case: Case) -> list[Measure]:
        samples, test = case.samples.distances_to(case.train), case.test.distances_to(case.train)
        value, error = share_nearer(samples, test)
        details = {
            "standard_error_over": "images, were both alike",
            "training_images": len(case.train),
            "test_images": len(case.test),
        }
        found = {"median_distance": float(samples.median()), "median_distance_of_test_images": float(test.median())}
        return [Measure("memorization", value, standard_error=error, details=details, found=found)]
