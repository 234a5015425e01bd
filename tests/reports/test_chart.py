"""Curves as SVG."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from gan.reports.chart import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    chart,
    limits,
    mean_line,
    tick_labels,
)

SVG = "{http://www.w3.org/2000/svg}"


def points(*values):
    return [(float(i + 1), value) for i, value in enumerate(values)]


def drawn(lines, **options):
    """The lines' paths as lists of (x, y) in pixels, and their tooltips."""
    text = str(chart("D(x)", lines, **options)).replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1)
    found = []
    for group in ET.fromstring(text).findall(f".//{SVG}g"):
        d = group.findall(f"{SVG}path")[-1].get("d")
        found.append(([tuple(map(float, pair)) for pair in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", d)], group[0].text))
    return found


def test_mean_line_is_the_mean_of_the_epochs_that_all_runs_have():
    line = mean_line(0, "a", [points(1.0, 2.0, 6.0), points(3.0, 6.0)])
    np.testing.assert_array_equal(line.x, [1, 2])
    np.testing.assert_array_equal(line.mean, [2, 4])
    np.testing.assert_allclose(line.error, [math.sqrt(2) / math.sqrt(2), math.sqrt(8) / math.sqrt(2)])
    assert mean_line(0, "a", [points(1.0)]).error is None
    assert mean_line(0, "a", [[], []]) is None


def test_long_lines_are_thinned_to_means():
    values = np.arange(1000.0)
    line = mean_line(0, "a", [points(*values)])
    assert len(line.x) <= MOST_POINTS
    size = math.ceil(1000 / MOST_POINTS)
    np.testing.assert_allclose(line.mean[0], values[:size].mean())
    np.testing.assert_allclose(line.mean[-1], values[(len(line.x) - 1) * size :].mean())


def test_pixels_are_linear_in_epochs_and_values():
    ((line, tooltip),) = drawn([mean_line(0, "a", [points(0.0, 1.0, 0.5)])], y=(0.0, 1.0))
    across, up = WIDTH - RIGHT - LEFT, HEIGHT - BOTTOM - TOP
    expected = [(LEFT + across * x / 3, HEIGHT - BOTTOM - up * y) for x, y in points(0.0, 1.0, 0.5)]
    np.testing.assert_allclose(line, expected, atol=0.06)
    assert tooltip == "a: 0.5 at the end"


def test_a_line_is_broken_where_a_value_is_nan():
    text = chart("loss", [mean_line(0, "a", [points(1.0, math.nan, 3.0, 4.0)])])
    (d,) = re.findall(r'</title><path d="(.*?)"', text)
    assert d.count("M") == 2
    assert "nan" not in text


def test_lines_without_a_finite_value_are_empty():
    ((line, tooltip),) = drawn([mean_line(0, "a", [points(math.nan, math.inf)])])
    assert (line, tooltip) == ([], "a: no finite value")


def test_rare_extremes_do_not_flatten_the_other_values():
    values = [*np.linspace(1, 2, 300), 1e6]
    low, high, log = limits([mean_line(0, "a", [points(*values)])])
    assert not log
    assert low < 1
    assert high < 20


def test_values_over_decades_get_a_logarithmic_axis():
    low, high, log = limits([mean_line(0, "a", [points(*np.logspace(0, 3, 50))])])
    assert (low, high, log) == (1, 1000, True)
    axis = Axis(low, high, 0, 300, log)
    np.testing.assert_allclose(axis(np.array([1, 10, 100, 1000])), [0, 100, 200, 300])
    assert axis.ticks() == [1, 10, 100, 1000]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.25, 0.5, 0.75, 1]), (0, 120, [0, 50, 100]), (-1.2, 0.3, [-1, -0.5, 0]), (5, 5.001, None)],
)
def test_ticks_are_round_and_inside(low, high, ticks):
    found = Axis(low, high, 0, 1).ticks()
    assert ticks is None or found == pytest.approx(ticks)
    assert 2 <= len(found) <= 6
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)


def test_texts_of_a_chart_are_escaped():
    text = chart("<b>", [mean_line(0, "<script>", [points(1.0, 2.0)])])
    assert "<script>" not in text
    assert "<b>" not in text


def test_close_ticks_have_different_labels():
    assert tick_labels([1.38101, 1.38102]) == ["1.38101", "1.38102"]
    assert tick_labels([0.0, 0.25, 1e5]) == ["0", "0.25", "1e+05"]


def test_a_single_point_is_a_circle_inside_the_panel():
    text = chart("loss", [mean_line(0, "a", [points(1.5)])])
    assert re.search(r'<path d="M[\d.]+ [\d.]+a1.5 1.5', text)
