"""Tables of scores for the terminal."""

from collections.abc import Sequence

from gan.core.numbers import mean_with_error, with_error
from gan.evaluation.records import FLOOR, Row
from gan.metrics.base import Measure


def table(rows: Sequence[Row]) -> list[str]:
    """One line per score, one column per generator and one for the floor."""
    generators = list(dict.fromkeys(row.generator for row in rows))
    lines: dict[str, dict[str, Row]] = {}
    for row in rows:
        lines.setdefault(row.measure.name, {})[row.generator] = row
    cells = [["", *generators, ""]]
    for name, line in lines.items():
        some = next(iter(line.values())).measure
        numbers = [spread(line[g].measure) if g in line else "-" for g in generators]
        cells.append([name, *numbers, " ".join(filter(None, [some.unit, _remarks(line)]))])
    widths = [max(len(cell[column]) for cell in cells) for column in range(len(cells[0]))]
    return [
        "  "
        + "  ".join([cell[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cell[1:-1], widths[1:-1], strict=True))])
        + ("  " + cell[-1] if cell[-1] else "")
        for cell in cells
    ]


def spread(measure: Measure) -> str:
    """``225.3 ± 2.1``: a score with its standard error."""
    return with_error(measure.value, measure.standard_error)


def _remarks(line: dict[str, Row]) -> str:
    """Remarks at the end of a line: what the error is over, the Parzen σ, lower bounds."""
    remarks = []
    found = {name: row.measure.found for name, row in line.items()}
    over = {row.measure.details.get("standard_error_over") for row in line.values()} - {None}
    remarks += [f"± standard error over {' and '.join(sorted(over))}"] if over else []
    if any("sigma" in f for f in found.values()):
        remarks.append("σ " + ", ".join(f"{s:.3f}" for f in found.values() for s in f.get("sigma", [])))
    if any(f.get("sigma_on_grid_edge") for f in found.values()):
        remarks.append("the best σ is at the edge of the grid: widen it with metrics.parzen.low, .high")
    bounds = [name for name, f in found.items() if f.get("lower_bound")]
    if bounds:
        remarks.append(f"no two alike: at least, for {' and '.join(bounds)}")
    return f"({'; '.join(remarks)})" if remarks else ""


def over_runs(results: Sequence[Sequence[Row]]) -> list[Row]:
    """The mean over runs of each score that all runs have, with its standard error over runs."""
    means = []
    for first in results[0]:
        same = [row for rows in results for row in rows if _key(row) == _key(first)]
        if len(same) < len(results):
            continue
        values = [row.measure.value for row in same]
        if first.generator == FLOOR and len(set(values)) == 1:  # the same real images in all runs
            means.append(first)
            continue
        mean, error = mean_with_error(values)
        measure = Measure(
            first.measure.name,
            mean,
            first.measure.unit,
            error,
            {"standard_error_over": f"{len(values)} runs"},
        )
        means.append(Row(first.generator, measure, first.samples, first.features, first.split))
    return means


def _key(row: Row) -> tuple[str, str]:
    return row.generator, row.measure.name
