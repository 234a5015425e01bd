"""Exact nearest neighbors in pixel space: the rightmost column of the paper's Figure 2."""

import torch
from torch import Tensor

from gan.core.images import scale
from gan.metrics.distances import squared_distances

_TILE = 4_000_000  # values per chunk of points in float64: 32 MB
_TIE = 1e-12  # relative to the norms: the largest difference of two distances due to rounding


@torch.no_grad()
def nearest(queries: Tensor, points: Tensor, chunk: int | None = None) -> tuple[Tensor, Tensor]:
    """The nearest point to each query in Euclidean distance; of equally near points the first.

    The search is exhaustive. Points are converted to float64 one chunk at a time, so that 50,000 color images of
    32×32 stay uint8. In float64, rounding (1e-12 of the squared norms) cannot put a farther image first.

    Args:
        queries: (N, …), float in [0, 1] or uint8, which is divided by 255.
        points: (P, …) of the same size per point, P at least 1; they may be on another device.
        chunk: points per chunk; None for as many as fit in 32 MB.

    Returns:
        Distances (N,), float64, and indices into the points (N,), int64, both on the queries' device.

    Raises:
        ValueError: there are no points, or queries and points have different sizes.
    """
    if len(points) == 0 or queries[0].numel() != points[0].numel():
        raise ValueError(f"cannot compare queries {tuple(queries.shape)} with points {tuple(points.shape)}")
    queries = _float64(queries)  # (N, D)
    norms = queries.square().sum(1)
    best = queries.new_full((len(queries),), torch.inf)
    index = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    size, start = chunk or max(1, _TILE // queries.shape[1]), 0
    for squared in squared_distances(points.flatten(1), queries, tile=size * len(queries)):  # (size, N)
        smallest = squared.amin(0)
        # A point at that distance has a norm of at most ‖q‖ + √smallest.
        slack = _TIE * (1 + norms + (norms.sqrt() + smallest.sqrt()).square())
        first = (squared <= smallest + slack).to(torch.uint8).argmax(0)
        closer = smallest < best - slack
        best = torch.where(closer, smallest, best)
        index = torch.where(closer, first + start, index)
        start += len(squared)
    # The matrix product is inexact for small distances, so those of the winners are computed from the differences.
    winners = _float64(points[index.to(points.device)].to(queries.device))
    return (queries - winners).norm(dim=1), index


def _float64(images: Tensor) -> Tensor:
    """Rows (N, D), float64; uint8 0..255 becomes [0, 1]."""
    return scale(images.flatten(1), torch.float64).double()
