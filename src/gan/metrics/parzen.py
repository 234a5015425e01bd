"""Gaussian Parzen-window log-likelihood, the measure of the paper's Table 1.

Breuleux, Bengio, Vincent 2011, "Quickly generating representative samples from an RBM-derived process", section 3.5;
Goodfellow et al. 2014, section 5. The sum is exact: it runs over all samples for every point.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.core.checks import check_integer, check_number
from gan.metrics.base import Case, Measure, Metric
from gan.metrics.distances import squared_distances

_CACHED = 2**19  # distances, 4 MiB, that stay in the cache while all widths are evaluated


@dataclass(frozen=True)
class Estimate:
    """A Parzen-window log-likelihood in nats.

    Attributes:
        mean: over the test points.
        standard_error: of that mean: sample standard deviation / √points.
        sigma: the kernel's width, the best of the grid on the validation points.
        on_grid_edge: whether sigma is the grid's first or last width, so that a better one may lie outside.
    """

    mean: float
    standard_error: float
    sigma: float
    on_grid_edge: bool


def estimate(samples: Tensor, validation: Tensor, test: Tensor, sigmas: Sequence[float]) -> Estimate:
    """The paper's protocol: σ is chosen on validation points, the mean and its standard error are on test points.

    Args:
        samples: (N, …), the centers of the windows.
        validation, test: (V, …) and (T, …) of the same size per point.
        sigmas: widths to choose from, positive and ascending.
    """
    widths = torch.as_tensor(sigmas, dtype=torch.float64)
    chosen = int(log_density(samples, validation, widths).mean(1).argmax())
    values = log_density(samples, test, widths[chosen : chosen + 1])[0]
    return Estimate(
        mean=float(values.mean()),
        standard_error=float(values.std() / math.sqrt(len(values))),
        sigma=float(widths[chosen]),
        on_grid_edge=chosen in (0, len(widths) - 1),
    )


@torch.no_grad()
def log_density(samples: Tensor, points: Tensor, sigmas: Tensor) -> Tensor:
    """log p(x) = log 1/N · Σ_i N(x; s_i, σ² I) for each point x and each σ, float64 (sigmas, points), on the CPU.

    Computed in float64 on the samples' device, exact to 1e-9 nats.

    Args:
        samples: (N, …).
        points: (P, …) of the same size per point.
        sigmas: (S,), positive.
    """
    samples = samples.flatten(1).double()
    points = points.flatten(1).to(samples)
    scales = (-0.5 / sigmas.double().square()).tolist()
    # The matrix product is fast with many rows. The rest passes over its result ten times and is fast with few rows.
    rows = max(1, _CACHED // len(samples))
    tiles = squared_distances(points, samples)
    sums = torch.cat([_log_sum_exp(part, scales) for tile in tiles for part in tile.split(rows)], 1).cpu()  # (S, P)
    norms = math.log(len(samples)) + 0.5 * samples.shape[1] * (2 * math.pi * sigmas.double().square()).log()
    return sums - norms[:, None]


def _log_sum_exp(squared_distances: Tensor, scales: Sequence[float]) -> Tensor:
    """log Σ_j exp(scale · d_ij), (scales, rows); the nearest sample's term is factored out to avoid underflow."""
    nearest = squared_distances.amin(1)
    beyond = squared_distances - nearest[:, None]
    terms = torch.empty_like(beyond)
    # As powers of two: torch's exp2 is three times as fast as exp in float64, and as accurate.
    sums = [torch.mul(beyond, scale / math.log(2), out=terms).exp2_().sum(1) for scale in scales]
    return torch.stack([part.log_().add_(scale * nearest) for part, scale in zip(sums, scales, strict=True)])


class Parzen(Metric):
    """The paper's Table 1: :func:`estimate` on each fold.

    With one fold, the standard error is over the test images. With several, the value is the mean over folds and the
    standard error is over folds, as in the table's caption.

    Args:
        sigmas: number of widths from 10^low to 10^high, evenly spaced in the exponent.
        low, high: exponents of the first and the last width.
    """

    needs, better = frozenset(), "higher"

    def __init__(self, sigmas: int = 10, low: float = -1.0, high: float = 0.0) -> None:
        check_integer("[1, inf)", sigmas=sigmas)
        check_number(low=low, high=high)
        if not low <= high:
            raise ValueError(f"low must be at most high, got {low} and {high}")
        self.grid = torch.logspace(low, high, sigmas, dtype=torch.float64).tolist()

    def __call__(self, case: Case) -> list[Measure]:
        samples = case.samples.pixels
        estimates = [estimate(samples, f["valid"].pixels, f["test"].pixels, self.grid) for f in case.folds]
        means = torch.tensor([e.mean for e in estimates], dtype=torch.float64)
        several = len(estimates) > 1
        measure = Measure(
            "parzen_log_likelihood",
            float(means.mean()),
            "nats",
            float(means.std() / math.sqrt(len(means))) if several else estimates[0].standard_error,
            details={
                "standard_error_over": "folds" if several else "test images",
                "sigma_grid": [round(s, 6) for s in self.grid],
                "validation_images": [len(fold["valid"]) for fold in case.folds],
                "test_images": [len(fold["test"]) for fold in case.folds],
            },
            found={
                "sigma": [e.sigma for e in estimates],
                "sigma_on_grid_edge": any(e.on_grid_edge for e in estimates),
            },
        )
        return [measure]
