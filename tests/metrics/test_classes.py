"""Histograms of classes and modes, and their divergence by hand."""

import math

import numpy as np
import pytest
import torch

from gan.metrics.classes import ClassHistogram, Modes, divergence, histogram
from tests.metrics.cases import case, certain, classified


def of(*classes, among=4, good=None):
    """Images of these classes."""
    return classified(certain(torch.tensor(classes), among), None if good is None else torch.tensor(good))


def test_histogram_counts_the_likeliest_class():
    rows = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.5, 0.1], [0.2, 0.2, 0.6]]).log()
    assert histogram(rows).tolist() == [1, 1, 2]
    assert histogram(rows, torch.tensor([True, False, False, True])).tolist() == [1, 0, 1]
    assert histogram(rows[:0]).tolist() == [0, 0, 0]


def test_kl_divergence_by_hand():
    """¾ log(¾ / ½) + ¼ log(¼ / ½)."""
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert divergence(torch.tensor([3, 1]), torch.tensor([10, 10])) == pytest.approx(expected)
    assert divergence(torch.tensor([1, 1]), torch.tensor([3, 1])) == pytest.approx(0.5 * math.log(4 / 3))
    assert divergence(torch.tensor([2, 4]), torch.tensor([1, 2])) == pytest.approx(0, abs=1e-15)
    assert divergence(torch.tensor([5, 0]), torch.tensor([1, 1])) == pytest.approx(math.log(2))
    assert divergence(torch.tensor([1, 1]), torch.tensor([1, 0])) == math.inf


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_histogram_has_no_divergence(empty):
    counts = [torch.tensor([1, 2]), torch.tensor([1, 2])]
    counts[empty] = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ValueError, match="a histogram without a count has no divergence"):
        divergence(*counts)


def test_class_divergence_compares_samples_with_test_images():
    (found,) = ClassHistogram()(case(of(0, 0, 1, 2), of(0, 1, 2, 2, 2, 1)))
    p, q = np.array([0.5, 0.25, 0.25]), np.array([1, 2, 3]) / 6.5  # half an image is added for the class that has none
    assert (found.name, found.unit) == ("class_divergence", "nats")
    assert found.value == pytest.approx((p * np.log(p / q)).sum())
    assert found.found == {"histogram": [2, 1, 1, 0], "histogram_of_test_images": [1, 2, 3, 0]}
    assert found.details == {"test_images": 6}


def test_class_missing_in_test_images_gives_a_finite_divergence():
    (found,) = ClassHistogram()(case(of(3, 3), of(0, 1, 2)))
    assert found.value == pytest.approx(math.log(3.5 / 0.5))


def test_class_divergence_grows_with_collapse():
    """Unequal class shares and collapse raise it; equal shares do not."""
    test = of(*range(4), *range(4))
    values = [ClassHistogram()(case(of(*s), test))[0].value for s in ((3, 2, 1, 0), (0, 0, 1, 2, 3), (0, 0, 1), (2, 2))]
    assert values == sorted(values)
    assert values[0] == pytest.approx(0, abs=1e-15)
    assert values[-1] == pytest.approx(math.log(4))
    assert ClassHistogram.better == "lower"


def test_modes_found_and_mode_divergence_by_hand():
    found, spread = Modes()(case(of(0, 0, 1, 2, 2, 2), of(0)))
    assert (found.name, found.value, found.unit) == ("modes_found", 3, "of 4")
    p = np.array([2, 1, 3]) / 6
    assert (spread.name, spread.unit) == ("mode_divergence", "nats")
    assert spread.value == pytest.approx((p * np.log(p * 4)).sum())
    assert Modes(least=2)(case(of(0, 0, 1, 2, 2, 2), of(0)))[0].value == 2
    assert Modes.better == "higher"


def test_only_good_samples_count_for_a_mode():
    samples = of(0, 0, 1, 2, 2, 2, good=[True, True, False, True, False, False])
    found, spread, share = Modes()(case(samples, of(0)))
    assert found.value == 2
    assert spread.value == pytest.approx(2 / 3 * math.log(8 / 3) + 1 / 3 * math.log(4 / 3))
    assert (share.name, share.value) == ("good_samples", 0.5)
    assert share.standard_error == pytest.approx(0.5 / math.sqrt(6))
    assert share.details["standard_error_over"] == "samples"


def test_no_divergence_without_a_good_sample():
    found, share = Modes()(case(of(0, 1, good=[False, False]), of(0)))
    assert (found.value, share.value, share.standard_error) == (0, 0, 0)


def test_least_out_of_range_is_refused():
    with pytest.raises(ValueError, match="least must be a whole number of at least 1, got 0"):
        Modes(least=0)
