"""Euclidean distances between the rows of two matrices, computed in tiles."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gan.core.images import scale

_TILE = 2_000_000  # squared distances per tile: they fit a CPU's cache


def squared_distances(a: Tensor, b: Tensor, tile: int = _TILE) -> Iterator[Tensor]:
    """Yields ‖a_i - b_j‖² for successive rows of a, (rows, len(b)); the caller may overwrite the tensors.

    Args:
        a: (N, D), converted to float64 and moved to b's device one part at a time, so it need not fit there. uint8
            0..255 is divided by 255.
        b: (M, D), float64: in float32 the matrix product is too inexact for near neighbors.
        tile: approximate number of distances per tile.
    """
    b_norms = b.square().sum(1)
    for part in a.split(max(1, tile // len(b))):
        part = scale(part.to(b.device), torch.float64).double()
        # ‖a‖² + ‖b‖² - 2 a·b, added up within the matrix product.
        distances = torch.addmm(b_norms, part, b.T, alpha=-2)
        yield distances.add_(part.square().sum(1, keepdim=True)).clamp_(min=0)


@torch.no_grad()
def nearest_distances(a: Tensor, b: Tensor) -> Tensor:
    """Distance of each row of a (N, D) to the nearest row of b (M, D), (N,), float64."""
    parts = [squared.amin(1) for squared in squared_distances(a.double(), b.double())]
    return torch.cat(parts).sqrt()


@torch.no_grad()
def neighbour_radii(points: Tensor, k: int) -> Tensor:
    """Distance of each row of points (N, D) to the k-th nearest other row, (N,), float64.

    Raises:
        ValueError: there are fewer than k other rows.
    """
    if not 1 <= k < len(points):
        raise ValueError(f"{len(points)} points have no {k}-th nearest neighbour")
    points = points.double()
    # The nearest row is the point itself.
    parts = [squared.topk(k + 1, largest=False).values[:, k] for squared in squared_distances(points, points)]
    return torch.cat(parts).sqrt()
