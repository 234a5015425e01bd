"""Fidelity and variety apart: whether samples lie among real images, and real images among samples.

Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative Models", section 2;
Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models", section 3. Points are rows of
feature matrices, and the ball of a point reaches to its k-th nearest neighbour in its own set.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gan.metrics.base import Case, Measure, Metric
from gan.metrics.distances import neighbour_radii, squared_distances


@dataclass(frozen=True)
class Overlap:
    """How points lie in the balls of others.

    Attributes:
        inside: whether a point lies in at least one ball, bool (points,).
        balls: in how many it lies, (points,).
        met: whether a ball holds at least one point, bool (centres,).
    """

    inside: Tensor
    balls: Tensor
    met: Tensor


@torch.no_grad()
def overlap(points: Tensor, centres: Tensor, k: int) -> Overlap:
    """Counts points (N, F) in the balls around centres (M, F), whose radii are the centres' own k-th neighbours'."""
    squared_radii = neighbour_radii(centres, k).square()
    balls, met = [], torch.zeros_like(squared_radii, dtype=torch.bool)
    for squared in squared_distances(points.double(), centres.double()):
        within = squared <= squared_radii
        balls.append(within.sum(1))
        met |= within.any(0)
    counts = torch.cat(balls)
    return Overlap(counts > 0, counts, met)


def precision_recall(samples: Tensor, real: Tensor, k: int = 3) -> tuple[float, float]:
    """The share of samples in a ball of a real image, and of real images in a ball of a sample, in [0, 1]."""
    return float(overlap(samples, real, k).inside.double().mean()), float(
        overlap(real, samples, k).inside.double().mean()
    )


def density_coverage(samples: Tensor, real: Tensor, k: int = 5) -> tuple[float, float]:
    """Density: real images' balls that a sample lies in, over k, about 1 for a perfect generator, at least 0.
    Coverage: the share of real images whose ball holds a sample, in [0, 1]."""
    found = overlap(samples, real, k)
    return float(found.balls.double().mean()) / k, float(found.met.double().mean())


class PrecisionRecall(Metric):
    """:func:`precision_recall` against the test images.

    Args:
        k: which neighbour a ball reaches to, at least 1.
    """

    better = "higher"

    def __init__(self, k: int = 3) -> None:
        self.k = _at_least_one(k)

    def __call__(self, case: Case) -> list[Measure]:
        values = precision_recall(case.samples.features, case.test.features, self.k)
        return _measures(("precision", "recall"), values, self.k, case)


class DensityCoverage(Metric):
    """:func:`density_coverage` against the test images.

    Args:
        k: which neighbour a ball reaches to, at least 1.
    """

    better = "higher"

    def __init__(self, k: int = 5) -> None:
        self.k = _at_least_one(k)

    def __call__(self, case: Case) -> list[Measure]:
        values = density_coverage(case.samples.features, case.test.features, self.k)
        return _measures(("density", "coverage"), values, self.k, case)


def _measures(names: tuple[str, str], values: tuple[float, float], k: int, case: Case) -> list[Measure]:
    details = {"k": k, "test_images": len(case.test)}
    return [Measure(name, value, details=details) for name, value in zip(names, values, strict=True)]


def _at_least_one(k: int) -> int:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return k
