"""Curves as inline SVG. Colors come from the page's style sheet: line i has the class ``s{i}`` of its group."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from gan.runs.folder import Points, whole

WIDTH, HEIGHT = 340, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 8, 30
DOT = 3  # diameter of a single point
MOST_POINTS = 120  # of a line; more cannot be seen at this size
COLORS = 10  # of the style sheet; further groups have them again, dashed


@dataclass(frozen=True)
class Line:
    """The mean of a scalar over the runs of a group.

    Attributes:
        group: the number of the group.
        label: its label.
        x: epochs, (P,).
        mean: (P,), may hold NaN.
        error: the standard error over runs, (P,); None for one run.
    """

    group: int
    label: str
    x: np.ndarray
    mean: np.ndarray
    error: np.ndarray | None = None


def mean_line(group: int, label: str, curves: Sequence[Points]) -> Line | None:
    """The mean of several runs' curves at the epochs that all of them have; None if there is none."""
    shown = [dict(whole(points)) for points in curves if points]
    common = sorted(set.intersection(*map(set, shown))) if shown else []
    if not common:
        return None
    values = np.array([[curve[x] for x in common] for curve in shown])  # (runs, P)
    values[~np.isfinite(values)] = np.nan
    error = values.std(0, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else None
    return thinned(Line(group, label, np.array(common), values.mean(0), error))


def thinned(line: Line) -> Line:
    """The line with means of neighboring points where there are too many."""
    size = math.ceil(len(line.x) / MOST_POINTS)
    if size == 1:
        return line
    starts = np.arange(0, len(line.x), size)
    counts = np.diff([*starts, len(line.x)])
    x, mean, error = (
        None if values is None else np.add.reduceat(values, starts) / counts
        for values in (line.x, line.mean, line.error)
    )
    return Line(line.group, line.label, x, mean, error)


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis: values from ``low`` to ``high`` on pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Pixels of values; values beyond the limits are placed just outside, where they are cut off."""
        low, high = (math.log10(v) for v in (self.low, self.high)) if self.log else (self.low, self.high)
        scaled = np.log10(np.maximum(values, self.low / 10)) if self.log else values
        return self.start + (self.end - self.start) * np.clip((scaled - low) / (high - low), -0.2, 1.2)

    def ticks(self) -> list[float]:
        """About four round values."""
        if self.log:
            exponents = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            return [10.0**exponent for exponent in list(exponents)[:: math.ceil(len(exponents) / 5) or 1]]
        rough = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def limits(lines: Sequence[Line], marks: Sequence[float] = ()) -> tuple[float, float, bool]:
    """The limits of the y axis, without rare extreme values, and whether it is logarithmic."""
    values = np.concatenate([line.mean[np.isfinite(line.mean)] for line in lines])
    if not len(values):
        return 0.0, 1.0, False
    low, high = np.percentile(values, [1, 99])
    if low > 0 and high / low > 50:
        return 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)), True
    room = max(high - low, 0.01 * max(abs(high), abs(low)), 1e-9)
    low, high = max(values.min(), low - room / 2), min(values.max(), high + room / 2)
    low, high = min([low, *marks]), max([high, *marks])
    margin = 0.05 * max(high - low, room)
    return low - margin, high + margin, False


def chart(
    title: str,
    lines: Sequence[Line],
    y: tuple[float, float] | None = None,
    mark: float | None = None,
    mark_label: str = "",
) -> Markup:
    """One panel of small multiples.

    Args:
        title: the name of the scalar, for screen readers; the page shows it above the panel.
        lines: at least one.
        y: limits of the y axis; None for those of the lines.
        mark: y value of a dashed horizontal line; None for no line.
        mark_label: a text above this line.
    """
    marks = [] if mark is None else [mark]
    low, high, log = (*y, False) if y else limits(lines, marks)
    last = max(float(line.x[-1]) for line in lines)
    across = Axis(0.0, last if last > 0 else 1.0, LEFT, WIDTH - RIGHT)
    up = Axis(low, high, HEIGHT - BOTTOM, TOP, log)
    parts = [*map(x_tick, tick_labels(across.ticks()), across(np.array(across.ticks())))]
    parts += map(y_tick, tick_labels(up.ticks()), up(np.array(up.ticks())))
    if mark is not None:
        (place,) = up(np.array([mark]))
        text = '<path class="mark" d="M{} {:.1f}H{}"/><text class="tick" x="{}" y="{:.1f}">{}</text>'
        parts.append(Markup(text).format(LEFT, place, WIDTH - RIGHT, LEFT + 4, place - 4, mark_label))
    # The inner element cuts off what lies beyond the limits.
    inside = f"{LEFT} {TOP} {WIDTH - LEFT - RIGHT + DOT} {HEIGHT - BOTTOM - TOP}"
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}'
        '<svg x="{}" y="{}" width="{}" height="{}" viewBox="{}">{}</svg>'
        '<text class="axis" x="{}" y="{}" text-anchor="end">epoch</text></svg>'
    ).format(
        *(WIDTH, HEIGHT, f"{title} over epochs", Markup("").join(parts)),
        *(*inside.split(), inside, Markup("").join(draw(line, across, up) for line in lines)),
        *(WIDTH - RIGHT, HEIGHT - 2),
    )


def x_tick(label: str, place: float) -> Markup:
    """A label below the panel, ``place`` pixels from the left."""
    text = '<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
    return Markup(text).format(place, HEIGHT - BOTTOM + 13, label)


def y_tick(label: str, place: float) -> Markup:
    """A horizontal line and its label, ``place`` pixels from the top."""
    text = '<path class="grid" d="M{} {:.1f}H{}"/><text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
    return Markup(text).format(LEFT, place, WIDTH - RIGHT, LEFT - 5, place + 3.5, label)


def draw(line: Line, across: Axis, up: Axis) -> Markup:
    """A band of one standard error, the mean, and a tooltip."""
    x, y = across(line.x), up(line.mean)
    band = Markup("")
    if line.error is not None:
        edges = [up(line.mean - line.error), up(line.mean + line.error)]
        for part in runs_of_numbers(line.mean):
            there, back = path(x[part], edges[0][part]), path(x[part][::-1], edges[1][part][::-1])
            band += Markup('<path class="band" d="{}{}Z"/>').format(there, back.replace("M", "L"))
    d = "".join(path(x[part], y[part]) for part in runs_of_numbers(line.mean))
    number = line.mean[np.isfinite(line.mean)]
    tooltip = f"{line.label}: {number[-1]:.4g} at the end" if len(number) else f"{line.label}: no finite value"
    return Markup('<g class="line s{}{}" data-group="{}"><title>{}</title>{}<path d="{}"/></g>').format(
        line.group % COLORS, f" dash{line.group // COLORS % 3}", line.group, tooltip, band, d
    )


def runs_of_numbers(values: np.ndarray) -> list[slice]:
    """The stretches of finite values; a line is broken where a value is NaN."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.isfinite(values).astype(int), [0]])))
    return [slice(start, end) for start, end in edges.reshape(-1, 2)]


def path(x: np.ndarray, y: np.ndarray) -> str:
    """SVG path data; a single point is drawn as a small circle."""
    if len(x) == 1:
        return f"M{x[0] - DOT / 2:.1f} {y[0]:.1f}a1.5 1.5 0 1 0 {DOT} 0a1.5 1.5 0 1 0 -{DOT} 0"
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def tick_labels(values: Sequence[float]) -> list[str]:
    """Labels with as few digits as tell the values apart, at least four: 0.05, 1200, 1e+05."""
    for digits in range(4, 9):
        labels = [f"{value:.{digits}g}" for value in values]
        if len(set(labels)) == len(labels):
            break
    return labels
