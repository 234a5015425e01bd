"""How many different images a set of images amounts to.

Friedman and Dieng 2023, "The Vendi Score: A Diversity Evaluation Metric for Machine Learning", definition 3.1.
"""

import torch
from torch import Tensor

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
    if not width > 0:
        raise ValueError(f"width must be positive, got {width}")
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
