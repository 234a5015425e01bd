"""The scores of groups of runs: means and standard errors over seeds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gan.core.numbers import mean_with_error, with_error
from gan.evaluation.records import FLOOR
from gan.reports.groups import Group
from gan.reports.jobs import Job

LOWER, HIGHER = "lower", "higher"


@dataclass(frozen=True)
class Score:
    """What one number of a run measures; numbers with equal attributes can be compared.

    Attributes:
        metric: such as ``frechet_distance``.
        split: the reference images, ``test`` or ``valid``.
        features: the feature extractor.
        samples: the number of scored images.
    """

    metric: str
    split: str = "test"
    features: str = ""
    samples: int = 0


@dataclass(frozen=True)
class Mean:
    """The mean of a number over the runs of a group.

    Attributes:
        value: the mean; NaN if no run has the number.
        error: the standard error over runs; None for less than two runs.
        count: the number of runs that have the number.
        expected: the number of runs of the group.
    """

    value: float
    error: float | None
    count: int
    expected: int

    @property
    def complete(self) -> bool:
        """Whether every run of the setting has this number."""
        return self.count == self.expected

    def __str__(self) -> str:
        return with_error(self.value, self.error) if self.count else "–"


@dataclass
class ScoreTable:
    """The scores of all groups.

    Attributes:
        better: for each score in the table ``lower``, ``higher`` or None.
        unit: of each score.
        generators: the generators with this score, in order.
        jobs: for each job (by its name) the numbers of each score by generator or ``floor``.
    """

    better: dict[Score, str | None] = field(default_factory=dict)
    unit: dict[Score, str] = field(default_factory=dict)
    generators: dict[Score, list[str]] = field(default_factory=dict)
    jobs: dict[str, dict[tuple[Score, str], float]] = field(default_factory=dict)

    def mean(self, group: Group, score: Score, generator: str) -> Mean:
        """The mean of a score over the runs of a group."""
        return mean_over(group, (self.jobs[job.name].get((score, generator)) for job in group.jobs))

    def best(self, groups: Sequence[Group], score: Score) -> float | None:
        """The best mean of a score over groups and generators; None where the score ranks nothing."""
        if self.better.get(score) is None or len(groups) < 2:
            return None
        means = [self.mean(group, score, name).value for group in groups for name in self.generators[score]]
        finite = [mean for mean in means if math.isfinite(mean)]
        return (min if self.better[score] == LOWER else max)(finite, default=None)


def mean_over(group: Group, values: Iterable[float | None]) -> Mean:
    """The mean of the numbers that are not None."""
    known = [value for value in values if value is not None]
    mean, error = mean_with_error(known) if known else (math.nan, None)
    return Mean(mean, error, len(known), len(group.jobs))


def collect(jobs: Iterable[Job]) -> ScoreTable:
    """The scores of all jobs; of several records of one score, the one that was written last."""
    table = ScoreTable()
    for job in jobs:
        newest: dict[tuple[Score, str], float] = {}
        for record in sorted(job.scores, key=written):
            score = Score(
                str(record["metric"]),
                str(record.get("split", "test")),
                str(record.get("features", "")),
                int(record.get("samples") or 0),
            )
            generator = str(record["generator"])
            newest[score, generator] = float(record["value"])
            table.unit[score] = str(record.get("unit") or "")
            known = record.get("better") if record.get("better") in (LOWER, HIGHER) else None
            table.better[score] = table.better.get(score) or known
            names = table.generators.setdefault(score, [])
            if generator not in (*names, FLOOR):
                names.append(generator)
        table.jobs[job.name] = newest
    return table


def written(record: dict) -> str:
    """The time at which a record was written, as text that sorts."""
    provenance = record.get("provenance")
    return str(provenance.get("written", "")) if isinstance(provenance, dict) else ""
