"""Tables of scores in the terminal."""

import numpy as np
import pytest

from gan.evaluation.records import FLOOR, Row
from gan.evaluation.tables import over_runs, spread, table
from gan.metrics.base import Measure


def row(generator, value, error=None, name="m", **rest):
    return Row(generator, Measure(name, value, "nats", error, **rest), 10, "pixels")


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (225.31, 2.13, "225.3 ± 2.1"),
        (0.00283, 0.00196, "0.0028 ± 0.0020"),
        (44322.7, 9450.1, "44,323 ± 9,450"),
        (2.78e6, 7.1e5, "2.78e+06 ± 7e+05"),
        (9.876543, None, "9.877"),
        (123456.7, None, "123,457"),
        (1.0, 0.0, "1"),
        (3.0, float("nan"), "3"),
        (1.26157634495, 7.1e-12, "1.262"),
    ],
)
def test_value_has_as_many_digits_as_its_error_allows(value, error, shown):
    assert spread(Measure("m", value, standard_error=error)) == shown


def test_table_has_a_row_for_each_score_and_a_column_for_each_generator():
    rows = [
        row("raw", 1.0),
        row("ema", 2.0),
        row(FLOOR, 3.0),
        row("raw", 4.0, name="other"),
        row(FLOOR, 5.0, name="other"),
    ]
    head, first, second = (line.split() for line in table(rows))
    assert head == ["raw", "ema", "floor"]
    assert first == ["m", "1", "2", "3", "nats"]
    assert second == ["other", "4", "-", "5", "nats"]


def test_row_notes_error_source_sigma_and_bounds():
    rows = [
        row(
            "ema",
            1.0,
            0.1,
            details={"standard_error_over": "test images"},
            found={"sigma": [0.2], "sigma_on_grid_edge": True},
        ),
        row(FLOOR, 2.0, 0.1, found={"sigma": [0.15], "lower_bound": True}),
    ]
    line = table(rows)[1]
    assert "± standard error over test images; σ 0.200, 0.150; the best σ is at the edge of the grid" in line
    assert "no two alike: at least, for floor" in line


def test_error_of_the_mean_over_runs_is_over_runs():
    (mean,) = over_runs([[row("ema", v, 9.0)] for v in (1.0, 2.0, 6.0)])
    assert mean.measure.value == pytest.approx(3.0)
    assert mean.measure.standard_error == pytest.approx(np.std([1, 2, 6], ddof=1) / np.sqrt(3))
    assert "3.0 ± 1.5  nats (± standard error over 3 runs)" in table([mean])[1]
    floors = [[row(FLOOR, 5.0, 0.2)] for _ in range(3)]
    assert over_runs(floors) == floors[0]


def test_score_missing_in_one_run_has_no_mean():
    results = [[row("ema", 1.0), row("raw", 7.0)], [row("raw", 9.0)]]
    assert [(r.generator, r.measure.value) for r in over_runs(results)] == [("raw", 8.0)]
