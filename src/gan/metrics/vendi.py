"""The Vendi score: the effective number of different images in a set.

Friedman and Dieng 2023, "The Vendi Score: A Diversity Evaluation Metric for Machine Learning", definition 3.1.
"""

import math

import torch
from torch import Tensor

from gan.core.checks import check_integer, check_number
from gan.metrics.base import Case, Images, Measure, Metric
from gan.metrics.distances import squared_distances


@torch.no_grad()
def vendi_score(points: Tensor, width: float) -> float:
    """exp of the entropy of the eigenvalues of K / n, K_ij = exp(-‖x_i - x_j‖² / (2 width²)).

    It is 1 if all points are equal and n if all are far apart. For m distant groups of equal size, each of identical
    points, it is m. It needs no reference set.

    Args:
        points: (n, D), finite.
        width: of the kernel, in the unit of the points: the distance at which two points count as different.

    Returns:
        The score, in [1, n].

    Raises:
        ValueError: the width is not positive.
    """
    check_number("(0, inf)", width=width)
    points = points.double().cpu()
    squared = torch.cat(list(squared_distances(points, points)))
    kernel = squared.div_(-2 * width**2).exp_()
    kernel.fill_diagonal_(1)  # removes the rounding error of a point's distance to itself
    shares = torch.linalg.eigvalsh(kernel / len(points)).clamp(min=0)  # (n,), they sum to 1
    return float(torch.special.entr(shares).sum().exp())


@torch.no_grad()
def median_distance(points: Tensor) -> float:
    """Median Euclidean distance over all pairs of n points (n, D), n at least 2."""
    return float(torch.pdist(points.double().cpu()).median())


class Vendi(Metric):
    """:func:`vendi_score` of samples in feature space; the floor is the score of as many real images.

    Neither higher nor lower is better: copies score below the floor, and noise images may score above it.

    Args:
        count: number of samples that are compared with each other, at least 2; fewer if there are not as many.
        width: of the kernel, divided by the median distance between as many test images. With ½, real images of
            different classes count as different, those of one class as partly different.
        seed: seed of the choice of samples and test images.
    """

    def __init__(self, count: int = 1000, width: float = 0.5, seed: int = 0) -> None:
        check_integer("[2, inf)", count=count)
        check_number("(0, inf)", width=width)
        self.count, self.width, self.seed = count, width, seed

    def __call__(self, case: Case) -> list[Measure]:
        samples, test = self._choose(case.samples), self._choose(case.test)
        width = self.width * median_distance(test)
        details = {"samples_compared": len(samples), "test_images": len(test), "width": self.width}
        # Identical test images give width 0; then the score is undefined.
        value = vendi_score(samples, width) if width > 0 else math.nan
        return [Measure("vendi_score", value, details=details, found={"kernel_width": width})]

    def _choose(self, images: Images) -> Tensor:
        """Features of ``count`` random images, (count, F); random because sets may be ordered by class."""
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(self.seed))[: self.count]
        return images.features[order.to(images.features.device)]
