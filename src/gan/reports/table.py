"""The table of settings: a row for each group, columns for its keys, its ranking number and its scores."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gan.core.numbers import ROUNDING, with_error
from gan.evaluation.records import FLOOR
from gan.reports.groups import Group, shorten
from gan.reports.ranking import Criterion
from gan.reports.scores import Mean, Score, ScoreTable

ARROWS = {"lower": "↓", "higher": "↑"}


@dataclass
class Cell:
    """A cell of a group's row.

    Attributes:
        text: what it shows.
        value: what it is sorted by: a number, a text, or empty for a missing value.
        kind: ``name``, ``text`` or ``number``.
        generator: of a score.
        note: a remark in small print.
        hint: its tooltip.
        best: whether it is the best of its score.
    """

    text: str
    value: str
    kind: str = "number"
    generator: str = ""
    note: str = ""
    hint: str = ""
    best: bool = False


@dataclass
class Column:
    """A column: its title, the score or other number that it shows, and the text in the row of floors."""

    title: str
    kind: str = "number"
    generator: str = ""
    score: Score | None = None
    criterion: Criterion | None = None
    floor: str = ""


def build_table(
    groups: Sequence[Group], table: ScoreTable, criteria: Sequence[Criterion], described: Sequence[dict]
) -> dict[str, Any]:
    """The parts of the page's table; adds ``cells`` to each described group.

    Args:
        groups: in the order of the rows.
        table: the scores of the jobs.
        criteria: the number that ranks the groups, and further objectives.
        described: what the page shows of each group.
    """
    keys = list(groups[0].values) if groups else []
    several = keys if len(keys) > 1 else []
    scores = [score for score in table.generators if table.generators[score]]
    columns = [Column("setting", "name"), *(Column(key, "text") for key in several)]
    columns += [Column("seeds"), *(Column("value", criterion=criterion) for criterion in criteria)]
    shared = shared_floors(groups, table)
    for score in scores:
        floor = shared.get(score)
        text = "" if floor is None else f"{floor:.4g}"
        columns += [Column(name, "number", name, score, floor=text) for name in table.generators[score]]
    if any(group["warnings"] for group in described):
        columns.append(Column("warnings"))
    for number, (group, shown) in enumerate(zip(groups, described, strict=True)):
        shown["cells"] = [
            name_cell(group, keys),
            *(Cell(shorten(group.values[key]), group.values[key], "text", hint=group.values[key]) for key in several),
            seeds_cell(group),
            *(number_cell(one.means[number], one.order()[0] == number) for one in criteria),
            *(score_cell(table, groups, number, c, shared) for c in columns if c.score),
            *([Cell(str(n), str(n)) for n in [len(shown["warnings"])]] if columns[-1].title == "warnings" else []),
        ]
    floors = [
        Cell("floor", "", "name", hint="the score of real images in place of samples"),
        *(Cell(c.floor, "", c.kind, c.generator) for c in columns[1:]),
    ]
    return {
        "columns": columns,
        "blocks": blocks(columns, table),
        "floors": floors if any(column.floor for column in columns) else [],
        "generators": list(dict.fromkeys(column.generator for column in columns if column.generator)),
        "legend": legend(scores),
    }


def blocks(columns: Sequence[Column], table: ScoreTable) -> list[dict[str, Any]]:
    """The titles above the columns: one for each score, and one for the number that ranks."""
    found: list[dict[str, Any]] = []
    previous: Score | None = None
    counts = Counter(score.metric for score in table.generators)
    for column in columns:
        if column.score and column.score == previous:
            found[-1]["columns"] += 1
            found[-1]["generators"].append(column.generator)
            continue
        previous = column.score
        block: dict[str, Any] = {
            "title": "",
            "note": "",
            "hint": "",
            "columns": 1,
            "generators": [],
            "kind": column.kind,
        }
        if column.score:
            score = column.score
            notes = [table.unit[score], score.split if score.split != "test" else ""]
            notes += [score.features, f"{score.samples:,} samples"] if counts[score.metric] > 1 else []
            hint = f"{score.features}, {score.samples:,} samples, {score.split} images"
            title = f"{score.metric} {ARROWS.get(table.better[score] or '', '')}".strip()
            block |= {"title": title, "note": " · ".join(filter(None, notes)), "hint": hint}
            block["generators"] = [column.generator]
        elif column.criterion:
            title = f"{column.criterion.name} {ARROWS[column.criterion.better]}"
            ranks = "" if any(block["note"] for block in found) else "ranks the settings"
            block |= {"title": title, "note": ranks, "hint": column.criterion.remark}
        found.append(block)
    return found


def legend(scores: Sequence[Score]) -> str:
    """The line below the table."""
    sets = dict.fromkeys(
        f"{score.features or 'unknown features'}, {score.samples:,} samples, {score.split} images" for score in scores
    )
    used = f" Scores: {'; '.join(sets)}." if sets else ""
    floor = " Floor: the score of real images in place of samples." if sets else ""
    return f"± is the standard error over seeds. Click on a title to sort.{floor}{used}"


# Cells


def name_cell(group: Group, keys: Sequence[str]) -> Cell:
    """The cell with the color and the name of a setting."""
    return Cell(group.label, group.label, "name", hint=group.label)


def seeds_cell(group: Group) -> Cell:
    """The number of finished runs, and of all if there are more."""
    finished = sum(job.log.finished for job in group.jobs)
    note = "" if finished == len(group.jobs) else f"of {len(group.jobs)}"
    return Cell(str(finished), str(finished), note=note, hint=f"seed {', '.join(group.seeds)}")


def number_cell(mean: Mean, best: bool = False, generator: str = "", note: str = "") -> Cell:
    """A mean with its error; missing values and NaN are sorted last."""
    if not mean.count:
        return Cell("–", "", generator=generator)
    value = "" if math.isnan(mean.value) else repr(mean.value).replace("inf", "Infinity")
    count = "" if mean.complete else f"{mean.count} of {mean.expected}"
    hint = f"{mean.value!r}, standard error {mean.error!r} over {mean.count} runs"
    return Cell(str(mean), value, "number", generator, " ".join(filter(None, [count, note])), hint, best)


def score_cell(
    table: ScoreTable, groups: Sequence[Group], number: int, column: Column, shared: dict[Score, float]
) -> Cell:
    """The mean of a score over the group's runs, with the floor where the groups differ in it."""
    score = column.score
    assert score is not None
    mean = table.mean(groups[number], score, column.generator)
    floor = table.mean(groups[number], score, FLOOR)
    note = f"floor {with_error(floor.value, floor.error)}" if floor.count and score not in shared else ""
    return number_cell(mean, mean.count > 0 and mean.value == table.best(groups, score), column.generator, note)


def shared_floors(groups: Sequence[Group], table: ScoreTable) -> dict[Score, float]:
    """The floor of each score whose floor is the same in all runs, up to rounding errors."""
    found = {}
    for score in table.generators:
        numbers = [table.jobs[job.name].get((score, FLOOR)) for group in groups for job in group.jobs]
        floors = [number for number in numbers if number is not None]
        if floors and all(math.isclose(floor, floors[0], rel_tol=ROUNDING) for floor in floors):
            found[score] = floors[0]
    return found
