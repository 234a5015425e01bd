"""The Vendi score against closed forms, and what makes it larger or smaller."""

import math

import pytest
import torch

from gan.metrics.vendi import Vendi, median_distance, vendi_score
from tests.metrics.cases import case, points


@pytest.mark.parametrize(("groups", "each"), [(1, 12), (3, 4), (12, 1)])
def test_score_counts_groups_of_equal_points(groups, each):
    points = 100 * torch.eye(groups, 12).repeat(each, 1)
    assert vendi_score(points, width=1.0) == pytest.approx(groups, rel=1e-9)


@pytest.mark.parametrize("distance", [0.1, 1.0, 3.0])
def test_score_of_two_points_by_the_formula(distance):
    """K = [[1, c], [c, 1]] has the eigenvalues 1 ± c."""
    width = 1.5
    c = math.exp(-(distance**2) / (2 * width**2))
    entropy = -sum(share * math.log(share) for share in ((1 + c) / 2, (1 - c) / 2))
    score = vendi_score(torch.tensor([[0.0, 7.0], [distance, 7.0]]), width)
    assert score == pytest.approx(math.exp(entropy), rel=1e-6)


def test_score_of_unequal_groups_is_exp_of_their_entropy():
    """The eigenvalues are the shares of the groups: ½, ¼, ¼."""
    points = 100 * torch.eye(3)[[0, 0, 1, 2]]
    assert vendi_score(points, width=1.0) == pytest.approx(2**1.5, rel=1e-9)


def test_score_equals_the_matrix_logarithm_formula():
    """exp(-tr(K/n log K/n)), definition 3.2 of the paper, with the logarithm of scipy."""
    from scipy.linalg import logm

    points = torch.randn(15, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    k = torch.exp(-torch.cdist(points, points).square() / (2 * 0.7**2)).numpy() / 15
    assert vendi_score(points, width=0.7) == pytest.approx(math.exp(-(k @ logm(k)).trace().real), rel=1e-9)


def test_score_grows_with_spread_and_is_invariant_to_isometries():
    random = torch.Generator().manual_seed(1)
    points = torch.randn(64, 5, generator=random)
    score = vendi_score(points, width=1.0)
    assert vendi_score(0.5 * points, 1.0) < score < vendi_score(2 * points, 1.0) < 64
    assert vendi_score(points[:8].repeat(8, 1), 1.0) < 8.001 < score
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=random)).Q
    moved = (points @ rotation + 3)[torch.randperm(64, generator=random)]
    assert vendi_score(moved, 1.0) == pytest.approx(score, rel=1e-4)


def test_score_does_not_depend_on_the_tile(monkeypatch):
    """The distances come in tiles that reuse one buffer."""
    points = 100 * torch.eye(6)
    monkeypatch.setattr("gan.metrics.vendi.squared_distances.__defaults__", (12,))
    assert vendi_score(points, width=1.0) == pytest.approx(6, rel=1e-9)


def test_width_must_be_positive():
    with pytest.raises(ValueError, match="width must be a number above 0, got 0"):
        vendi_score(torch.zeros(2, 1), width=0)


def test_median_distance_excludes_the_point_itself():
    assert median_distance(torch.tensor([[0.0], [1.0], [3.0]])) == 2  # 1, 2, 3


@pytest.mark.parametrize("groups", [1, 4, 12])
def test_metric_width_is_relative_to_the_test_images(groups):
    """Test images pairwise √2 · 100 apart: the width is far below the distance between groups."""
    test = points(100 * torch.eye(12))
    samples = points(100 * torch.eye(12)[:groups].repeat(12 // groups, 1))
    (measure,) = Vendi(width=0.1)(case(samples, test))
    assert measure.value == pytest.approx(groups, rel=1e-9)
    assert measure.found["kernel_width"] == pytest.approx(10 * math.sqrt(2))


def test_metric_of_two_samples_by_the_formula():
    """Two samples as far apart as test images are: c = exp(-1 / (2 width²)), and the eigenvalues are (1 ± c) / 2."""
    (measure,) = Vendi(width=0.5)(case(points(torch.tensor([[0.0], [3.0]])), points(torch.tensor([[5.0], [8.0]]))))
    shares = [(1 + math.exp(-2)) / 2, (1 - math.exp(-2)) / 2]
    assert measure.value == pytest.approx(math.exp(-sum(p * math.log(p) for p in shares)), rel=1e-9)


def test_metric_does_not_depend_on_the_scale_of_the_features():
    generator = torch.Generator().manual_seed(0)
    samples, test = (torch.randn(40, 5, generator=generator) for _ in range(2))
    (small,), (large,) = (Vendi()(case(points(u * samples), points(u * test))) for u in (1, 64))
    assert small.value == pytest.approx(large.value, rel=1e-9)


def test_metric_compares_at_most_count_samples():
    rows = 100 * torch.eye(30)
    (measure,) = Vendi(count=10, width=0.1)(case(points(rows), points(rows)))
    assert measure.value == pytest.approx(10, rel=1e-9)
    assert measure.details["samples_compared"] == 10


def test_metric_is_nan_for_identical_test_images():
    (measure,) = Vendi()(case(points(torch.eye(5)), points(torch.ones(5, 5))))
    assert math.isnan(measure.value)


@pytest.mark.parametrize(("argument", "value"), [("count", 1), ("width", 0.0)])
def test_metric_refuses_count_and_width_out_of_range(argument, value):
    with pytest.raises(ValueError, match=argument):
        Vendi(**{argument: value})
