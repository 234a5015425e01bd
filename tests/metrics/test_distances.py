"""Distances against scipy, which subtracts before it squares."""

import pytest
import torch
from scipy.spatial.distance import cdist

from gan.metrics import distances
from gan.metrics.distances import nearest_distances, neighbour_radii, paired_squares, squared_distances, within


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(shape[0]), dtype=torch.float64)


@pytest.mark.parametrize("tile", [1, 40, 41, 130, 10_000])
def test_squared_distances_do_not_depend_on_the_tile(tile):
    a, b = draw(13, 5), draw(40, 5)
    parts = list(squared_distances(a, b, tile))
    assert torch.allclose(torch.cat(parts), torch.from_numpy(cdist(a, b, "sqeuclidean")), atol=1e-12)
    assert {len(part) for part in parts[:-1]} <= {max(1, tile // 40)}


def test_nearest_distances_match_scipy_and_are_zero_for_copies():
    a, b = draw(30, 7), draw(50, 7)
    assert torch.allclose(nearest_distances(a, b), torch.from_numpy(cdist(a, b).min(1)), atol=1e-12)
    assert nearest_distances(b[10:20], b).tolist() == [0] * 10


def test_small_distances_are_accurate_for_float32_inputs():
    """‖a‖² + ‖b‖² - 2 a·b is 700,000 here, the distances are 0.001 and 0.002: float32 would lose them."""
    a = 100 + draw(1, 64).float()
    b = torch.cat([a + 0.002 / 8, a - 0.001 / 8, a + 1])
    expected = cdist(a.double(), b.double()).min()
    assert nearest_distances(a, b).item() == pytest.approx(expected, rel=1e-3)
    assert nearest_distances(a, b).dtype == torch.float64


@pytest.mark.parametrize("k", [1, 2, 5, 39])
def test_radius_is_the_distance_to_the_kth_other_point(k):
    points = draw(40, 3)
    expected = [
        sorted(float((p - q).norm()) for j, q in enumerate(points) if j != i)[k - 1] for i, p in enumerate(points)
    ]
    assert neighbour_radii(points, k).tolist() == pytest.approx(expected)


def test_radius_among_copies_is_zero():
    points = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [3.0, 4.0]])
    assert neighbour_radii(points, 1).tolist() == [0, 0, 0, 5]
    assert neighbour_radii(points, 2).tolist() == [0, 0, 0, 5]
    assert neighbour_radii(points, 3).tolist() == [5, 5, 5, 5]


@pytest.mark.parametrize("k", [0, 4, 7])
def test_k_without_a_kth_neighbour_is_refused(k):
    with pytest.raises(ValueError, match=f"4 points have no {k}-th nearest neighbour"):
        neighbour_radii(draw(4, 2), k)


@pytest.mark.parametrize("pairs", [1, 7, 4_000_000])
def test_squares_of_pairs_are_exact_for_copies_and_symmetric(monkeypatch, pairs):
    monkeypatch.setattr(distances, "_PAIRS", pairs)
    a, b = 100 + draw(30, 5).float(), 100 + draw(31, 5)[:30].float()
    b[:4] = a[:4]
    expected = torch.from_numpy(cdist(a.double(), b.double(), "sqeuclidean")).diagonal()
    assert torch.allclose(paired_squares(a, b), expected, rtol=1e-14)
    assert torch.equal(paired_squares(a, b), paired_squares(b, a))
    assert paired_squares(a, b)[:4].tolist() == [0] * 4


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("pairs", [1, 4_000_000])
def test_limits_are_compared_in_exact_arithmetic(monkeypatch, closed, pairs):
    """Points on a grid with an offset at which the matrix product is inexact: distances are whole numbers."""
    monkeypatch.setattr(distances, "_PAIRS", pairs)
    grid = torch.cartesian_prod(*[torch.arange(5.0, dtype=torch.float64)] * 2)
    points = grid * 0.1 + 1234.567  # 0.1 is no binary number: a tie up to rounding
    (squared,) = squared_distances(points, points)
    whole = (grid[:, None] - grid[None]).square().sum(2)
    for limit in (0, 1, 2, 5, 25):
        exact = points.new_tensor(0.01 * limit)
        expected = whole <= limit if closed else whole < limit
        if limit:  # the points themselves are rounded: 1e-13 of 1234 is 1e-9 of these distances
            monkeypatch.setattr(distances, "ROUNDING", 1e-8)
        assert torch.equal(within(squared, exact, points, points, closed), expected)
