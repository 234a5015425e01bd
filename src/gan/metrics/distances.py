"""Euclidean distances between the rows of two matrices, a part at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gan.core.images import scale

_TILE = 2_000_000  # squared distances held at a time: they stay in a CPU's cache


def squared_distances(a: Tensor, b: Tensor, tile: int = _TILE) -> Iterator[Tensor]:
    """‖a_i - b_j‖² for some rows of a at a time, (rows, len(b)), to do with as one likes.

    Args:
        a: (N, D), taken to float64 and to b's device a part at a time: it may be larger than would fit there. uint8
            counts as 0..255 of 255.
        b: (M, D), float64: in float32 the matrix product loses the digits of near neighbours.
        tile: about how many distances to hold at a time.
    """
    b_norms = b.square().sum(1)
    for part in a.split(max(1, tile // len(b))):
        part = scale(part.to(b.device), torch.float64).double()
        # ‖a‖² + ‖b‖² - 2 a·b, the sum in one pass of the matrix product.
        distances = torch.addmm(b_norms, part, b.T, alpha=-2)
        yield distances.add_(part.square().sum(1, keepdim=True)).clamp_(min=0)


@torch.no_grad()
def nearest_distances(a: Tensor, b: Tensor) -> Tensor:
    """From each row of a (N, D) to the nearest row of b (M, D), (N,), float64."""
    parts = [squared.amin(1) for squared in squared_distances(a.double(), b.double())]
    return torch.cat(parts).sqrt()


@torch.no_grad()
def neighbour_radii(points: Tensor, k: int) -> Tensor:
    """From each row of points (N, D) to the k-th nearest other row, (N,), float64.

    Raises:
        ValueError: there are no k others.
    """
    if not 1 <= k < len(points):
        raise ValueError(f"{len(points)} points have no {k}-th nearest neighbour")
    points = points.double()
    # The nearest of all is the point itself.
    parts = [squared.topk(k + 1, largest=False).values[:, k] for squared in squared_distances(points, points)]
    return torch.cat(parts).sqrt()
