"""Means over runs, and numbers with their errors."""

import math

import numpy as np
import pytest

from gan.core.numbers import mean_with_error


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
