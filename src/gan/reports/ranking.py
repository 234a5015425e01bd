"""Which group of a sweep is best, and by which number."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gan.core.errors import UserError, did_you_mean
from gan.reports.groups import Group
from gan.reports.jobs import Job
from gan.reports.scores import LOWER, Mean, ScoreTable, mean_over

GENERATORS = ("raw", "ema")
CLEAR = 2.0  # standard errors of a difference


@dataclass
class Criterion:
    """The number by which the groups are ranked.

    Attributes:
        name: of the number.
        better: ``lower`` or ``higher``.
        means: the mean of each group, in the order of the groups.
        remark: what to know about the choice; may be empty.
    """

    name: str
    better: str
    means: list[Mean]
    remark: str = ""

    def order(self) -> list[int]:
        """Indices of the groups, the best first; incomplete groups follow, and those without a number are last."""

        def place(index: int) -> tuple[bool, bool, float]:
            mean = self.means[index]
            missing = not mean.count or math.isnan(mean.value)
            value = 0.0 if missing else mean.value if self.better == LOWER else -mean.value
            return missing, not mean.complete, value

        return sorted(range(len(self.means)), key=place)

    def verdict(self, labels: Sequence[str]) -> str:
        """The :func:`verdict` on the best group; ``labels`` are those of the groups, in their order."""
        order = self.order()
        return verdict([self.means[index] for index in order], [labels[index] for index in order])


def verdict(means: Sequence[Mean], labels: Sequence[str]) -> str:
    """How sure the first place is: ``best, not clearly: 0.5 standard errors ahead of loss=hinge``.

    It is clear from :data:`CLEAR` standard errors of the difference from the second place on. Without errors, as with
    one seed each, nothing is called best.

    Args:
        means: of the settings, the first one first.
        labels: of the same settings.
    """
    known = [(mean, label) for mean, label in zip(means, labels, strict=True) if mean.count]
    if len(known) < 2:
        return "the only setting" + " with a number" * (len(means) > 1)
    place = f"first of {len(known)}"
    if all(mean.expected == 1 for mean, _ in known):
        return f"{place}; one seed each, no error bar"
    for mean, label in known[:2]:
        if not mean.complete:
            return f"{place}; {label} has runs without a number"
        if not math.isfinite(mean.value):
            return f"{place}; {label} is not finite"
        if mean.error is None:
            return f"{place}; {label} has one seed, no error bar"
    (first, _), (second, other) = known[:2]
    gap, error = abs(first.value - second.value), math.hypot(first.error or 0, second.error or 0)
    lead = gap / error if error > 0 else math.inf if gap else 0.0
    return f"best{', not clearly' * (lead < CLEAR)}: {lead:.1f} standard errors ahead of {other}"


def choose_criterion(
    groups: Sequence[Group], table: ScoreTable, best_by: str | None = None, better: str | None = None
) -> Criterion | None:
    """The number that ranks the groups.

    By default it is the objective that the runs returned to the sweep; else the last score on validation images during
    the training; else the first score of ``metrics.json`` that ranks generators.

    Args:
        groups: the groups to rank.
        table: their scores.
        best_by: a number's name, such as ``frechet_distance/ema``, ``valid/frechet_distance/ema`` or a scalar of the
            curves; None for the default.
        better: ``lower`` or ``higher``; None for what the records say.

    Returns:
        None if there is no number that ranks groups.

    Raises:
        UserError: no run has the number ``best_by``, or its direction is unknown.
    """
    candidates = [*objectives(groups), *validations(groups, table), *from_table(groups, table)]
    if best_by is None:
        ranked = [candidate for candidate in candidates if candidate.better]
        return ranked[0] if ranked else None
    candidates += scalars(groups)
    named = [candidate for candidate in candidates if candidate.name == best_by]
    if not named:
        names = list(dict.fromkeys(candidate.name for candidate in candidates))
        raise UserError(
            f"best_by={best_by}: no run has this number.{did_you_mean(best_by, names)} "
            f"There are: {', '.join(names) or 'none'}."
        )
    chosen = named[0]
    chosen.better = better or chosen.better
    if not chosen.better:
        raise UserError(f"best_by={best_by}: whether it should be low or high is not recorded; give better=lower.")
    return chosen


def objectives(groups: Sequence[Group]) -> list[Criterion]:
    """The objectives that the runs returned to the sweep."""
    jobs = [job for group in groups for job in group.jobs if job.objective]
    remark = "The objective that the runs returned to the sweep."
    found = []
    for place in range(max((len(job.objective) for job in jobs), default=0)):
        goals = (job.goals[place] for job in jobs if place < len(job.goals))
        name, better = next(goals, ("objective", LOWER))
        means = [
            mean_over(group, (job.objective[place] if place < len(job.objective) else None for job in group.jobs))
            for group in groups
        ]
        found.append(Criterion(name, better, means, remark))
    if len(found) > 1:
        found[0].remark = f"{remark[:-1]}; of several objectives, the first ranks the settings."
    return found


def validations(groups: Sequence[Group], table: ScoreTable) -> list[Criterion]:
    """The last scores on validation images, those of the EMA first."""
    directions = {score.metric: better for score, better in table.better.items() if better}
    found = []
    for criterion in scalars(groups, "valid/"):
        _, metric, generator = (*criterion.name.split("/"), "", "")[:3]
        if generator in GENERATORS:
            criterion.better = directions.get(metric, "")
            criterion.remark = "The last score on validation images."
            found.append(criterion)
    return sorted(found, key=lambda criterion: not criterion.name.endswith("/ema"))


def scalars(groups: Sequence[Group], prefix: str = "") -> list[Criterion]:
    """The last value of each curve."""
    names = dict.fromkeys(name for group in groups for job in group.jobs for name in job.curves)
    return [
        Criterion(name, "", [mean_over(group, map(last_of(name), group.jobs)) for group in groups])
        for name in names
        if name.startswith(prefix)
    ]


def last_of(name: str) -> Callable[[Job], float | None]:
    """A function that returns the last value of this curve of a finished job, else None."""
    return lambda job: job.curves[name][-1][1] if job.log.finished and job.curves.get(name) else None


def from_table(groups: Sequence[Group], table: ScoreTable) -> list[Criterion]:
    """The scores of ``metrics.json``, those of the EMA first."""
    found = []
    for score, better in table.better.items():
        for generator in table.generators[score]:
            remark = (
                "Chosen by scores on the test images: the best score of several is too good on average."
                if score.split == "test"
                else ""
            )
            means = [table.mean(group, score, generator) for group in groups]
            found.append(Criterion(f"{score.metric}/{generator}", better or "", means, remark))
    return sorted(found, key=lambda criterion: not criterion.name.endswith("/ema"))
