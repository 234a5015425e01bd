"""Kernel distance between two sets of features: an unbiased alternative to the Fréchet distance.

Bińkowski et al. 2018, "Demystifying MMD GANs", section 4.
"""

import math

import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from gan.core.checks import check_integer
from gan.metrics.base import Case, Measure, Metric


@torch.no_grad()
def kernel_distances(a: Tensor, b: Tensor, subsets: int) -> Tensor:
    """Squared maximum mean discrepancy with the kernel (x·y / F + 1)³ on disjoint subsets, (subsets,), float64.

    Each value is the unbiased estimate, which may be negative, from n rows of a and n rows of b, with
    n = min(N, M) / subsets. Torchmetrics computes it. Disjoint subsets are independent, so the standard error of their
    mean is valid.

    Args:
        a, b: features (N, F) and (M, F) in random order, at least 2 rows per subset.
        subsets: number of subsets, at least 1.
    """
    size = min(len(a), len(b)) // subsets
    if size < 2:
        raise ValueError(f"{min(len(a), len(b))} images do not fill {subsets} subsets")
    pairs = zip(a.double().split(size), b.double().split(size), strict=False)
    return torch.stack([poly_mmd(x, y) for x, y in list(pairs)[:subsets]])


class Kernel(Metric):
    """Mean of :func:`kernel_distances` between samples and test images, with its standard error over subsets.

    Args:
        subsets: number of subsets, at least 2.
        seed: seed of the assignment of images to subsets.
    """

    better = "lower"

    def __init__(self, subsets: int = 10, seed: int = 0) -> None:
        check_integer("[2, inf)", subsets=subsets)
        self.subsets, self.seed = subsets, seed

    def least_images(self) -> dict[str, int]:
        return {"samples": 2 * self.subsets, "test": 2 * self.subsets}

    def __call__(self, case: Case) -> list[Measure]:
        # Test sets may be ordered by class.
        order = torch.randperm(len(case.test), generator=torch.Generator().manual_seed(self.seed))
        test = case.test.features
        values = kernel_distances(case.samples.features, test[order.to(test.device)], self.subsets)
        details = {
            "standard_error_over": "subsets",
            "subsets": self.subsets,
            "subset_size": min(len(case.samples), len(test)) // self.subsets,
            "test_images": len(test),
        }
        error = float(values.std() / math.sqrt(self.subsets))
        return [Measure("kernel_distance", float(values.mean()), standard_error=error, details=details)]
