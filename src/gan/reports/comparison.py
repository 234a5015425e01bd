"""The scores of several settings as one table for the terminal."""

from collections import Counter
from collections.abc import Sequence

from gan.core.numbers import with_error
from gan.evaluation.records import FLOOR
from gan.reports.groups import Group
from gan.reports.ranking import GENERATORS
from gan.reports.scores import Score, ScoreTable
from gan.reports.table import ARROWS, shared_floors


def compare(groups: Sequence[Group], table: ScoreTable) -> list[str]:
    """A row for each setting with a column for each score, and the floors in the last row.

    A number is the mean over the runs of a setting ± its standard error: of the EMA, or of the generator in a setting
    without one. The columns are the scores that rank generators, or all if none does.

    Args:
        groups: the settings.
        table: the scores of their runs.
    """
    scores = [score for score, better in table.better.items() if better] or list(table.better)
    rows = [*titles(scores, table)]
    for group in groups:
        generator = last_generator(group, table)
        rows.append([group.label, *(str(table.mean(group, score, generator)) for score in scores)])
    shared = shared_floors(groups, table)
    rows.append([FLOOR, *(with_error(shared[score], None) if score in shared else "–" for score in scores)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in rows
    ]


def titles(scores: Sequence[Score], table: ScoreTable) -> list[list[str]]:
    """The rows above the numbers: the words of each score's name below one another, so that columns are narrow.

    Scores of one name, such as those in the features of two data sets, have more words.
    """
    counts = Counter(score.metric for score in scores)
    columns: list[list[str]] = [[]]
    for score in scores:
        words = score.metric.split("_")
        words += [score.features, f"{score.samples:,}"] if counts[score.metric] > 1 else []
        columns.append([*words[:-1], f"{words[-1]} {ARROWS.get(table.better[score] or '', '')}".strip()])
    height = max(map(len, columns))
    return [list(row) for row in zip(*([""] * (height - len(words)) + words for words in columns), strict=True)]


def last_generator(group: Group, table: ScoreTable) -> str:
    """``ema`` if the runs were scored with it, else ``raw``: the generator of a sweep's objective."""
    names = {generator for job in group.jobs for _, generator in table.jobs[job.name]}
    return max(names & set(GENERATORS), key=GENERATORS.index, default=GENERATORS[0])
