"""Fidelity and diversity measured separately: whether samples lie near real images, and real images near samples.

Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative Models", section 2;
Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models", section 3. Points are rows of
feature matrices. The radius of a point's ball is the distance to its k-th nearest neighbor in its own set. As in the
authors' code, a point at this very distance lies inside for precision and recall, and outside for density and coverage.
"""

import torch
from torch import Tensor

from gan.core.checks import check_integer
from gan.metrics.base import Case, Measure, Metric
from gan.metrics.distances import neighbour_radii, squared_distances, within


@torch.no_grad()
def shares_inside(a: Tensor, b: Tensor, a_radii: Tensor, b_radii: Tensor) -> tuple[float, float]:
    """The share of points a (N, F) in a closed ball of b (M, F), and of b in one of a; computes each distance once."""
    a_inside, b_inside = [], torch.zeros_like(b_radii, dtype=torch.bool)
    a, b, start = a.double(), b.double(), 0
    for squared in squared_distances(a, b):
        rows = slice(start, start + len(squared))
        a_inside.append(within(squared, b_radii.square(), a[rows], b).any(1))
        b_inside |= within(squared, a_radii[rows, None].square(), a[rows], b).any(0)
        start += len(squared)
    return float(torch.cat(a_inside).double().mean()), float(b_inside.double().mean())


def precision_recall(samples: Tensor, real: Tensor, k: int = 3) -> tuple[float, float]:
    """Precision: the share of samples in a ball of a real image. Recall: vice versa. Both in [0, 1]."""
    return shares_inside(samples, real, neighbour_radii(samples, k), neighbour_radii(real, k))


@torch.no_grad()
def balls_filled(points: Tensor, centres: Tensor, radii: Tensor) -> tuple[float, float]:
    """The mean number of open balls of centers (M, F) that contain a point (N, F); the share that contain one."""
    pairs, met = radii.new_zeros((), dtype=torch.long), torch.zeros_like(radii, dtype=torch.bool)
    points, centres, start = points.double(), centres.double(), 0
    for squared in squared_distances(points, centres):
        some = points[start : start + len(squared)]
        held = within(squared, radii.square(), some, centres, closed=False)
        pairs += held.sum()
        met |= held.any(0)
        start += len(squared)
    return float(pairs) / len(points), float(met.double().mean())


def density_coverage(samples: Tensor, real: Tensor, k: int = 5) -> tuple[float, float]:
    """Density: mean number of real images' balls that contain a sample, over k, at least 0; about 1 is perfect.
    Coverage: the share of real images whose ball contains a sample, in [0, 1]."""
    balls, coverage = balls_filled(samples, real, neighbour_radii(real, k))
    return balls / k, coverage


class PrecisionRecall(Metric):
    """:func:`precision_recall` against the test images.

    Args:
        k: a ball reaches to the k-th nearest neighbor, at least 1.
    """

    better = "higher"

    def __init__(self, k: int = 3) -> None:
        check_integer("[1, inf)", k=k)
        self.k = k

    def least_images(self) -> dict[str, int]:
        return {"samples": self.k + 1, "test": self.k + 1}

    def __call__(self, case: Case) -> list[Measure]:
        samples, test = case.samples, case.test
        values = shares_inside(samples.features, test.features, samples.radii(self.k), test.radii(self.k))
        return _measures(("precision", "recall"), values, self.k, case)


class DensityCoverage(Metric):
    """:func:`density_coverage` against the test images.

    Args:
        k: a ball reaches to the k-th nearest neighbor, at least 1.
    """

    better = "higher"

    def __init__(self, k: int = 5) -> None:
        check_integer("[1, inf)", k=k)
        self.k = k

    def least_images(self) -> dict[str, int]:
        return {"test": self.k + 1}

    def __call__(self, case: Case) -> list[Measure]:
        balls, coverage = balls_filled(case.samples.features, case.test.features, case.test.radii(self.k))
        return _measures(("density", "coverage"), (balls / self.k, coverage), self.k, case)


def _measures(names: tuple[str, str], values: tuple[float, float], k: int, case: Case) -> list[Measure]:
    details = {"k": k, "test_images": len(case.test)}
    return [Measure(name, value, details=details) for name, value in zip(names, values, strict=True)]
