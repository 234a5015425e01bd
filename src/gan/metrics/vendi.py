"""How many different images a set of images amounts to.

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

    1 where all points are the same, n where all are far apart; m groups of equally many, each of one
    point and far from the others, give m. Needs no other set to compare with.

    Args:
        points: (n, D), finite.
        width: of the kernel, in the unit of the points: how far apart two points are that count as different.

    Returns:
        The score, in [1, n].

    Raises:
        ValueError: the width is not positive.
    """
    check_number("(0, inf)", width=width)
    points = points.double().cpu()
    squared = torch.cat(list(squared_distances(points, points)))
    kernel = squared.div_(-2 * width**2).exp_()
    kernel.fill_diagonal_(1)  # what rounding has left of the distance to itself is no distance
    shares = torch.linalg.eigvalsh(kernel / len(points)).clamp(min=0)  # (n,), they sum to 1
    return float(torch.special.entr(shares).sum().exp())


@torch.no_grad()
def median_distance(points: Tensor) -> float:
    """Median Euclidean distance between two different ones of n points (n, D), n at least 2."""
    return float(torch.pdist(points.double().cpu()).median())


class Vendi(Metric):
    """:func:`vendi_score` of samples in feature space; the floor says how varied as many real images are.

    Neither more nor less is better: copies score below the floor, noise may score above it.

    Args:
        count: how many samples are compared with one another, at least 2; fewer where there are not as many.
        width: of the kernel, over the median distance between as many test images: with ½ real images of different
            kinds count as different, those of one kind as somewhat so.
        seed: of the choice of samples and test images.
    """

    def __init__(self, count: int = 1000, width: float = 0.5, seed: int = 0) -> None:
        check_integer("[2, inf)", count=count)
        check_number("(0, inf)", width=width)
        self.count, self.width, self.seed = count, width, seed

    def __call__(self, case: Case) -> list[Measure]:
        samples, test = self._choose(case.samples), self._choose(case.test)
        width = self.width * median_distance(test)
        details = {"samples_compared": len(samples), "test_images": len(test), "width": self.width}
        # Test images that are all the same give no width; then nothing can be told.
        value = vendi_score(samples, width) if width > 0 else math.nan
        return [Measure("vendi_score", value, details=details, found={"kernel_width": width})]

    def _choose(self, images: Images) -> Tensor:
        """Features of ``count`` of the images, (count, F); sets may lie ordered by class."""
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(self.seed))[: self.count]
        return images.features[order.to(images.features.device)]
