"""Means over runs, and numbers with their errors as text."""

import math
import statistics
from collections.abc import Sequence

ROUNDING = 1e-6  # relative difference of float32 results that would be equal in exact arithmetic


def mean_with_error(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean of at least one value and its standard error.

    The error is None for a single value, and if a value is not finite.
    """
    if not all(map(math.isfinite, values)):
        return sum(values) / len(values), None
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return statistics.mean(values), error


def with_error(value: float, error: float | None) -> str:
    """``225.3 ± 2.1``: the error has two digits and the value as many decimals. Without an error: four digits.

    An error of the order of rounding errors is left out. Very large and very small numbers are written as powers of 10.
    """
    if not error or not math.isfinite(error) or error < ROUNDING * abs(value):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    if not 1e-6 <= error < 100_000:
        return f"{value:.2e} ± {error:.0e}"
    return f"{value:,.{decimals}f} ± {error:,.{decimals}f}"
