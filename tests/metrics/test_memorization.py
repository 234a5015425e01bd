"""Memorization against a comparison of all pairs of distances, and for copies, new images and noise."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from gan.metrics.memorization import Memorization, share_nearer
from tests.metrics.cases import case, points


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def measure(samples, test, train):
    return Memorization()(case(points(samples), points(test), points(train)))[0]


def test_share_counts_all_pairs_with_ties_halved():
    generator = torch.Generator().manual_seed(0)
    samples, test = (torch.randint(6, (n,), generator=generator).double() for n in (30, 17))
    wins = sum((s < t) + (s == t) / 2 for s in samples.tolist() for t in test.tolist())
    share, _ = share_nearer(samples, test)
    assert share == pytest.approx(wins / (30 * 17))
    assert share == pytest.approx(mannwhitneyu(test, samples).statistic / (30 * 17))
    assert share_nearer(test, samples)[0] == pytest.approx(1 - share)


def test_ties_are_not_decided_by_rounding():
    """Copies, and test images among the samples, have exactly the same distances."""
    train, test = (3 + draw(200, 128)).float(), (3 + draw(90, 128, seed=1)).float()
    assert measure(train[:40], train[40:80], train).value == 0.5
    assert measure(test.flip(0), test, train).value == 0.5
    assert (
        share_nearer(torch.tensor([0.1 + 0.2], dtype=torch.float64), torch.tensor([0.3], dtype=torch.float64))[0] == 0.5
    )


def test_share_is_one_zero_or_half_in_the_extreme_cases():
    near, far = torch.rand(20), 2 + torch.rand(30)
    assert share_nearer(near, far)[0] == 1
    assert share_nearer(far, near)[0] == 0
    assert share_nearer(torch.ones(5), torch.ones(8))[0] == 0.5


def test_standard_error_equals_the_spread_of_repeated_shares():
    shares = [share_nearer(a, b) for a, b in zip(draw(20_000).split(40), draw(15_000, seed=1).split(30), strict=True)]
    values = [share for share, _ in shares]
    assert np.mean(values) == pytest.approx(0.5, abs=0.01)
    assert np.std(values) == pytest.approx(shares[0][1], rel=0.1)


def test_score_of_copies_new_images_and_noise():
    """New samples lie as far from training images as test images do, copies nearer, noise farther."""
    train, test, fresh = draw(300, 6), draw(200, 6, seed=1), draw(400, 6, seed=2)
    good = measure(fresh, test, train)
    assert abs(good.value - 0.5) < 3 * good.standard_error
    assert measure(train[:100], test, train).value == 1
    assert measure(train[:100] + 0.01 * draw(100, 6, seed=3), test, train).value > 0.98
    assert measure(2 * fresh, test, train).value < 0.2
    half = measure(torch.cat([train[:200], fresh[:200]]), test, train).value
    assert half == pytest.approx((1 + good.value) / 2, abs=0.05)


def test_details_of_the_score():
    found = measure(draw(20, 3), draw(9, 3, seed=1), draw(40, 3, seed=2))
    assert found.details["training_images"] == 40
    assert found.details["test_images"] == 9
    assert found.standard_error == pytest.approx(math.sqrt(30 / (12 * 20 * 9)))
    nearest = torch.cdist(draw(20, 3), draw(40, 3, seed=2)).amin(1)
    assert found.found["median_distance"] == pytest.approx(float(nearest.median()), rel=1e-5)
    of_test = torch.cdist(draw(9, 3, seed=1), draw(40, 3, seed=2)).amin(1)
    assert found.found["median_distance_of_test_images"] == pytest.approx(float(of_test.median()), rel=1e-5)
    assert (Memorization.floor, Memorization.better) == ("valid", None)
