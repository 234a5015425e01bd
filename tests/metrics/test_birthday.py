"""The support size of generators whose support is known."""

import itertools
import math

import numpy as np
import pytest
import torch

from gan.metrics import birthday, distances
from gan.metrics.birthday import Birthday, pairs_within, support_size
from tests.metrics.cases import case, points


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("tile", [1, 40, 100, 10_000])
def test_pairs_within_equals_a_loop(tile, monkeypatch):
    rows = draw(40, 2)
    monkeypatch.setattr(birthday, "squared_distances", lambda a, b: distances.squared_distances(a, b, tile))
    for distance in (0.1, 0.5, 1.0):
        expected = sum(float((a - b).norm()) <= distance for a, b in itertools.combinations(rows.double(), 2))
        assert pairs_within(rows, distance) == expected


def test_support_size_and_error_for_equally_likely_images():
    """Draws with replacement from 500 images."""
    generator = torch.Generator().manual_seed(0)
    sizes = []
    for _ in range(300):
        counts = torch.randint(500, (200,), generator=generator).bincount()
        sizes.append(support_size(int((counts * (counts - 1) // 2).sum()), 200))
    values = np.array([value for value, _ in sizes])
    assert np.median(values) == pytest.approx(500, rel=0.05)
    assert np.median([error for _, error in sizes]) == pytest.approx(values.std(), rel=0.25)


def test_support_size_without_a_pair_is_a_lower_bound():
    """With a support below the bound, a pair would occur with a probability of 95%."""
    bound, error = support_size(0, 100)
    assert error is None
    # No two of n equally likely images among 100: the product of 1 - i / n.
    assert math.prod(1 - i / bound for i in range(100)) == pytest.approx(0.05, abs=0.005)


def measure(samples, quantile=0.01):
    return Birthday(quantile)(case(points(samples), points(draw(500, 8)), points(draw(1000, 8, seed=1))))[0]


@pytest.mark.parametrize("size", [5, 50, 400])
def test_support_size_of_samples_on_few_points_is_their_number(size):
    rows = torch.randint(size, (400,), generator=torch.Generator().manual_seed(0))
    found = measure(3 * draw(size, 8, seed=2)[rows])
    assert found.value == pytest.approx(size, rel=0.15)
    if size < 400:  # more pairs than samples: they are not independent
        assert found.standard_error is None
    else:
        assert abs(found.value - size) < 4 * found.standard_error
    assert not found.found["lower_bound"]
    assert found.found["even_chance_of_a_pair_among"] == round(math.sqrt(2 * math.log(2) * found.value))


def test_support_size_falls_with_the_number_of_distinct_samples():
    """For fewer and fewer distinct samples."""
    fresh = draw(400, 8, seed=3)
    values = [measure(fresh[: 400 // copies].repeat(copies, 1)).value for copies in (1, 4, 40, 400)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == 1
    assert Birthday.better == "higher"


def test_distance_is_a_quantile_of_test_to_training_distances():
    found = measure(draw(400, 8, seed=3), quantile=0.1)
    nearest = torch.cdist(draw(500, 8), draw(1000, 8, seed=1)).amin(1)
    assert float((nearest <= found.found["distance"]).double().mean()) == pytest.approx(0.1, abs=0.002)
    assert found.details["quantile"] == 0.1
    assert (found.details["training_images"], found.details["test_images"]) == (1000, 500)


def test_copies_of_training_images_among_the_test_images_do_not_count():
    """120 of them would make the threshold 0, and a generator of one image one without pairs."""
    train, new = draw(1000, 128, seed=1).abs(), draw(380, 128).abs()
    test = torch.cat([new, train[:120]])
    collapsed = draw(1, 128, seed=4).abs() + 1e-4 * draw(400, 128, seed=5)
    with_copies, without = (Birthday()(case(points(collapsed), points(t), points(train)))[0] for t in (test, new))
    assert with_copies.value == without.value == 1
    assert with_copies.found["distance"] == without.found["distance"] > 0


def test_equal_samples_are_pairs_even_at_the_threshold_zero():
    """All test images are copies; the rows are equal, and their matrix product is not exact."""
    train = (7 + draw(50, 128)).float()
    found = Birthday()(case(points(train[:10].repeat(4, 1)), points(train[:20]), points(train)))[0]
    assert found.found["distance"] == 0
    assert found.found["pairs"] == 10 * 6


def test_missing_pair_is_recorded_as_a_lower_bound():
    spread = 100 * torch.arange(40.0)[:, None].repeat(1, 8)
    found = measure(spread)
    assert (found.value, found.standard_error) == (40 * 39 / 2 / 3, None)
    assert (found.found["pairs"], found.found["lower_bound"]) == (0, True)


@pytest.mark.parametrize("quantile", [0, 1, -0.5])
def test_quantile_out_of_range_is_refused(quantile):
    with pytest.raises(ValueError, match=r"quantile must be a number above 0 and below 1"):
        Birthday(quantile)
