"""Means over runs, and numbers with their errors."""

import math

import numpy as np
import pytest

from gan.core.numbers import mean_with_error, with_error


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0], [3.0, 3.0], [-1e6, 1e6, 5.0, 7.0]])
def test_mean_and_standard_error_equal_numpys(values):
    mean, error = mean_with_error(values)
    assert mean == pytest.approx(np.mean(values))
    assert error == pytest.approx(np.std(values, ddof=1) / np.sqrt(len(values)))


def test_one_value_and_values_that_are_not_finite_have_no_error():
    assert mean_with_error([2.5]) == (2.5, None)
    assert mean_with_error([1.0, math.inf]) == (math.inf, None)
    mean, error = mean_with_error([math.nan, 1.0])
    assert math.isnan(mean)
    assert error is None


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (225.31, 2.09, "225.3 ± 2.1"),
        (0.00123, 0.00045, "0.00123 ± 0.00045"),
        (0.999999999999999778, 3.7e-17, "1"),
        (-3.4e-17, 2.1e-17, "-3.40e-17 ± 2e-17"),
        (1.23e-7, 4.5e-8, "1.23e-07 ± 4e-08"),
        (2.8e6, 7e5, "2.80e+06 ± 7e+05"),
        (12345.6, 0, "12,346"),
        (0.0, 5e-324, "0.00e+00 ± 5e-324"),
    ],
)
def test_numbers_with_errors_are_short(value, error, text):
    assert with_error(value, error) == text
