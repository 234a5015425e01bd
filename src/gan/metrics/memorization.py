"""Whether samples are nearer to the training images than new real images are.

Meehan, Chaudhuri, Dasgupta 2020, "A Three Sample Hypothesis Test for Evaluating Generative Models", section 4.
"""

import math

import torch
from torch import Tensor

from gan.metrics.base import Case, Measure, Metric
from gan.metrics.distances import ROUNDING


def share_nearer(samples: Tensor, test: Tensor) -> tuple[float, float]:
    """P(a sample is nearer to the training images than a test image), ties counted half, and its standard error.

    Distances that differ only by rounding are ties.
    It is the Mann-Whitney statistic divided by its maximum: ½ if samples are as far away as new images, 1 if all are
    nearer. The standard error is that for equal distributions, √((N + M + 1) / (12 N M)).

    Args:
        samples, test: distances to the nearest training image, (N,) and (M,).
    """
    test = test.sort().values
    above = torch.searchsorted(test, samples * (1 + ROUNDING), right=True)
    farther = len(test) - above
    equal = above - torch.searchsorted(test, samples * (1 - ROUNDING))
    share = (farther.double() + equal.double() / 2).mean() / len(test)
    n, m = len(samples), len(test)
    return float(share), math.sqrt((n + m + 1) / (12 * n * m))


class Memorization(Metric):
    """:func:`share_nearer` in feature space; its floor uses the validation images.

    Near ½, samples are as far from the training images as new images are. Well above ½, they are copies, or blurred
    toward the common features of all images. Well below ½, they lie off the data.
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
