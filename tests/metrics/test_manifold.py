"""Precision, recall, density and coverage against loops over all pairs, by hand, and for known failures."""

import pytest
import torch

from gan.metrics import distances, manifold
from gan.metrics.manifold import DensityCoverage, PrecisionRecall, density_coverage, precision_recall
from tests.metrics.cases import case, points


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def balls(centres, k):
    """Each center with the distance to its k-th nearest other center."""
    for i, centre in enumerate(centres):
        others = sorted(float((centre - other).norm()) for j, other in enumerate(centres) if j != i)
        yield centre, others[k - 1]


def share_in_balls(points, centres, k):
    held = [any(float((p - c).norm()) <= r for c, r in balls(centres, k)) for p in points]
    return sum(held) / len(points)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_scores_equal_loops_over_all_pairs(k):
    samples, real = 0.3 + 1.2 * draw(40, 3).double(), draw(50, 3, seed=1).double()
    expected = (share_in_balls(samples, real, k), share_in_balls(real, samples, k))
    assert precision_recall(samples, real, k) == pytest.approx(expected)
    held = [[float((s - c).norm()) < r for s in samples] for c, r in balls(real, k)]
    density = sum(map(sum, held)) / (k * len(samples))
    coverage = sum(map(any, held)) / len(real)
    assert density_coverage(samples, real, k) == pytest.approx((density, coverage))
    assert 0 < expected[0] < 1


def test_scores_do_not_depend_on_the_tile(monkeypatch):
    samples, real = 1 + draw(40, 3), draw(50, 3, seed=1)
    whole = precision_recall(samples, real), density_coverage(samples, real)
    monkeypatch.setattr(manifold, "squared_distances", lambda a, b: distances.squared_distances(a, b, tile=350))
    assert (precision_recall(samples, real), density_coverage(samples, real)) == whole
    assert 0 < whole[1][1] < 1


def test_scores_by_hand_on_a_line():
    """Real points at 0, 1, 3 have balls of 1, 1, 2 (k = 1); the samples at 0.5, 2, 9 have 1.5, 1.5, 7."""
    real, samples = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.5], [2.0], [9.0]])
    precision, recall = precision_recall(samples, real, k=1)
    assert (precision, recall) == pytest.approx((2 / 3, 1))
    # 0.5 lies in the balls of 0 and 1; 2 in that of 3, and at the border of that of 1; 9 in none.
    assert density_coverage(samples, real, k=1) == pytest.approx((1, 1))


def test_a_point_at_the_border_is_inside_for_precision_and_recall_only():
    """As in the authors' codes: "<=" by Kynkäänniemi et al., "<" by Naeem et al."""
    real, samples = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [3.0]])
    assert precision_recall(samples, real, k=1) == (0.5, 0.5)
    assert density_coverage(samples, real, k=1) == (0, 0)


@pytest.mark.parametrize("offset", [0, 1, 300])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_ties_are_not_decided_by_rounding(k, offset):
    """Of a set against itself, each ball has k points inside and one, or a few copies, at its border."""
    features = (offset + draw(300, 128).abs()).float()
    assert density_coverage(features, features.clone(), k) == (1, 1)
    assert precision_recall(features, features.clone(), k) == (1, 1)
    shuffled = features[torch.randperm(300, generator=torch.Generator().manual_seed(1))]
    assert density_coverage(shuffled, features, k) == (1, 1)


def test_copies_have_balls_of_radius_zero():
    """Closed ones hold the copies themselves, open ones nothing."""
    distinct = (0.1 + draw(20, 50).abs()).float()
    copies = distinct.repeat(4, 1)
    assert precision_recall(copies, copies.clone(), 3) == (1, 1)
    assert precision_recall(distinct[:5] + 1e-4, copies, 3)[0] == 0
    assert density_coverage(copies, copies.clone(), 3) == (0, 0)
    assert density_coverage(copies, copies.clone(), 4)[0] == 1  # four copies in the ball of each, over k


def test_swapped_sets_swap_precision_and_recall():
    wide, narrow = 2 * draw(200, 4), draw(200, 4, seed=1)
    precision, recall = precision_recall(narrow, wide)
    assert precision > recall + 0.2
    assert precision_recall(wide, narrow) == (recall, precision)
    assert density_coverage(narrow, wide) != density_coverage(wide, narrow)


def clusters(count, modes, seed):
    """Points around the first ``modes`` of ten centers that lie far apart."""
    generator = torch.Generator().manual_seed(seed)
    return 10 * torch.eye(10)[torch.randint(modes, (count,), generator=generator)] + draw(count, 10, seed=seed)


def scores(samples, test):
    both = case(points(samples), points(test))
    return {m.name: m.value for m in PrecisionRecall()(both) + DensityCoverage()(both)}


def test_scores_fall_with_dropped_modes_noise_and_collapse():
    """Dropped modes lower only recall and coverage; noise lowers precision and density."""
    test = clusters(400, 10, seed=0)
    good, dropped = scores(clusters(400, 10, seed=1), test), scores(clusters(400, 4, seed=1), test)
    assert dropped["recall"] < good["recall"] - 0.3
    assert dropped["coverage"] < good["coverage"] - 0.3
    assert dropped["precision"] > good["precision"] - 0.1
    assert dropped["density"] > good["density"] - 0.1
    noisy = scores(clusters(400, 10, seed=1) + 2 * draw(400, 10, seed=2), test)
    assert noisy["precision"] < good["precision"] - 0.3
    assert noisy["density"] < good["density"] - 0.3
    # A few real points, each many times: their own balls have radius zero.
    collapsed = scores(test[:4].repeat(100, 1) + 1e-3, test)
    assert (collapsed["precision"], collapsed["recall"]) == (1, 0)
    assert collapsed["coverage"] < 0.1
    assert collapsed["density"] > 0.5


def test_one_outlier_sample_raises_recall_but_not_coverage():
    """Naeem et al., section 3: the ball of an outlier contains all real images."""
    test = draw(200, 4)
    samples = torch.cat([20 + 0.1 * draw(8, 4, seed=1), torch.full((1, 4), -100.0)])
    found = scores(samples, test)
    assert found["recall"] == 1
    assert found["coverage"] == 0


def test_density_of_a_perfect_generator_is_one():
    values = [density_coverage(draw(500, 4, seed=2 * i), draw(500, 4, seed=2 * i + 1))[0] for i in range(1, 9)]
    assert sum(values) / len(values) == pytest.approx(1, abs=0.03)


def test_names_and_details_of_the_scores():
    first, second = PrecisionRecall(k=2)(case(points(draw(20, 3)), points(draw(30, 3))))
    assert [m.name for m in (first, second)] == ["precision", "recall"]
    assert first.details == {"k": 2, "test_images": 30}
    assert [m.name for m in DensityCoverage()(case(points(draw(20, 3)), points(draw(30, 3))))] == [
        "density",
        "coverage",
    ]


def test_metric_classes_return_the_values_of_their_functions():
    samples, real = 0.3 + draw(40, 3), draw(50, 3, seed=1)
    both = case(points(samples), points(real))
    assert [m.value for m in PrecisionRecall()(both)] == pytest.approx(precision_recall(samples, real))
    assert [m.value for m in DensityCoverage()(both)] == pytest.approx(density_coverage(samples, real))


@pytest.mark.parametrize("metric", [PrecisionRecall, DensityCoverage])
def test_k_out_of_range_is_refused(metric):
    with pytest.raises(ValueError, match="k must be a whole number of at least 1, got 0"):
        metric(k=0)
    with pytest.raises(ValueError, match="5 points have no 5-th nearest neighbour"):
        metric(k=5)(case(points(draw(9, 2)), points(draw(5, 2))))
