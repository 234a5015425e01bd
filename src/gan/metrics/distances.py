"""Euclidean distances between the rows of two matrices, computed in tiles."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gan.core.images import scale

_TILE = 2_000_000  # squared distances per tile: they fit a CPU's cache
_PAIRS = 4_000_000  # values per chunk of differences: 32 MB
#: relative difference of two distances that are equal in exact arithmetic, in float64 from differences
ROUNDING = 1e-12


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


def paired_squares(a: Tensor, b: Tensor) -> Tensor:
    """‖a_i - b_i‖² from the differences, float64 (N,): exactly 0 for equal rows, and the same for exchanged ones."""
    size = max(1, _PAIRS // a.shape[1])
    parts = zip(a.split(size), b.split(size), strict=True)
    return torch.cat([(x.double() - y.double()).square_().sum(1) for x, y in parts])


def within(squared: Tensor, limits: Tensor, a: Tensor, b: Tensor, closed: bool = True) -> Tensor:
    """Whether the distance of each row of a to each row of b is at most its limit, bool (n, M).

    A tie is not decided by rounding. What is nearer to its limit than the matrix product is exact is computed again
    from the difference of the two rows, and is equal to the limit if the two differ by ``ROUNDING``.

    Args:
        squared: the squared distances, from :func:`squared_distances`.
        limits: squared limits of any shape that broadcasts to (n, M), from :func:`paired_squares`.
        a, b: the rows, (n, D) and (M, D), float64.
        closed: whether a distance equal to its limit counts.
    """
    inside = squared <= limits
    slack = 4 * a.shape[1] * torch.finfo(torch.float64).eps * (a.square().sum(1).amax() + b.square().sum(1).amax())
    row, column = ((squared - limits).abs_() <= slack).nonzero(as_tuple=True)
    size = max(1, _PAIRS // a.shape[1])
    for i, j in zip(row.split(size), column.split(size), strict=True):
        exact, limit = paired_squares(a[i], b[j]), limits.expand_as(squared)[i, j]
        equal = (exact - limit).abs() <= ROUNDING * limit
        inside[i, j] = torch.where(equal, torch.full_like(equal, closed), exact < limit)
    return inside


@torch.no_grad()
def nearest_distances(a: Tensor, b: Tensor) -> Tensor:
    """Distance of each row of a (N, D) to the nearest row of b (M, D), (N,), float64; exactly 0 for a row of b."""
    nearest = [squared.argmin(1) for squared in squared_distances(a.double(), b.double())]
    return _paired_to(a, b, torch.cat(nearest)).sqrt()


@torch.no_grad()
def neighbour_radii(points: Tensor, k: int) -> Tensor:
    """Distance of each row of points (N, D) to the k-th nearest other row, (N,), float64; exactly 0 among k + 1 copies.

    Raises:
        ValueError: there are fewer than k other rows.
    """
    if not 1 <= k < len(points):
        raise ValueError(f"{len(points)} points have no {k}-th nearest neighbour")
    points, neighbours, start = points.double(), [], 0
    for squared in squared_distances(points, points):
        squared.diagonal(start).fill_(-1)  # the nearest row is the point itself
        neighbours.append(squared.topk(k + 1, largest=False).indices[:, k])
        start += len(squared)
    return _paired_to(points, points, torch.cat(neighbours)).sqrt()


def _paired_to(a: Tensor, b: Tensor, index: Tensor) -> Tensor:
    """:func:`paired_squares` of a (N, D) and the rows of b with the indices (N,)."""
    size = max(1, _PAIRS // a.shape[1])
    return torch.cat([paired_squares(x, b[i]) for x, i in zip(a.split(size), index.split(size), strict=True)])
