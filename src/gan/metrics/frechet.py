"""Fréchet distance between two sets of features.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", equation 6.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from gan.metrics.base import Case, Measure, Metric


@torch.no_grad()
def frechet_distance(a: Tensor, b: Tensor) -> float:
    """‖μ_a - μ_b‖² + Tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½), with the means and covariances of the features.

    Torchmetrics computes it, in float64. Two sets of N samples from one distribution also have a distance, of about
    (trace terms) / N. Compare only distances of equal N.

    Args:
        a, b: features (N, F) and (M, F), at least two rows each.

    Raises:
        ValueError: a feature is NaN or infinite.
    """
    if not (a.isfinite().all() and b.isfinite().all()):  # the eigenvalues of such a matrix end the process
        raise ValueError("the features hold NaN or infinite values")
    size: Any = (a.shape[1],)
    with torch.random.fork_rng(devices=[]):  # it runs a random image to get the feature size
        distance = FrechetInceptionDistance(nn.Identity(), input_img_size=size).to(a.device)
    distance.set_dtype(torch.float64)
    distance.update(a.double(), real=True)
    distance.update(b.double(), real=False)
    return float(distance.compute())


class Frechet(Metric):
    """:func:`frechet_distance` between samples and test images."""

    better, biased = "lower", True

    def __call__(self, case: Case) -> list[Measure]:
        value = frechet_distance(case.samples.features, case.test.features)
        return [Measure("frechet_distance", value, details={"test_images": len(case.test)})]
