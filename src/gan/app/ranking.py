"""The ranking of a sweep's settings by the objective of their jobs, read from the jobs' folders."""

import json
import math
import re
import shlex
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from gan.app.resume import read_words
from gan.app.search_path import recorded
from gan.core.files import write_whole
from gan.reports.ranking import verdict
from gan.reports.scores import Mean
from gan.runs import outcome
from gan.runs.identity import SEEDS

FILE = "ranking.json"
SHOWN = 30  # rows of the printed table
KEY = re.compile(r"(?:\+\+|\+|~)?([\w/.@]+)")


@dataclass
class Setting:
    """The jobs that differ only in their seeds.

    Attributes:
        overrides: their command line without seeds.
        folders: the folders of all of them.
        values: the objective of each finished job, one number per goal.
        failed: the folders of those without an objective.
        pruned: the folders of those that a search has pruned.
    """

    overrides: tuple[str, ...]
    folders: list[Path] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    failed: list[Path] = field(default_factory=list)
    pruned: list[Path] = field(default_factory=list)

    @property
    def means(self) -> list[float]:
        """The mean of each goal over the finished jobs; empty if there is none."""
        return [statistics.fmean(numbers) for numbers in zip(*self.values, strict=True)]

    @property
    def errors(self) -> list[float | None]:
        """The standard error of each mean; None for one job, and for values that are not finite."""
        return [
            statistics.stdev(numbers) / math.sqrt(len(numbers))
            if len(numbers) > 1 and all(map(math.isfinite, numbers))
            else None
            for numbers in zip(*self.values, strict=True)
        ]

    @property
    def command(self) -> str:
        """The command that trains this setting once, with the default seed."""
        options, path = recorded(self.folders[0])
        words = [word for word in self.overrides if not word.startswith("hydra")]
        return shlex.join(["python", "train.py", *path, *words, *options])


@dataclass
class Ranking:
    """The settings of a sweep, the best first.

    Attributes:
        names: the name of each goal.
        better: ``lower`` or ``higher`` for each of them.
        settings: with a single goal in its order; with several, first those that no other setting beats in every goal.
        best: how many of the first settings are best: one, or the number that no other setting beats.
    """

    names: list[str]
    better: list[str]
    settings: list[Setting]
    best: int


def report(folder: Path) -> None:
    """Prints the ranking of the sweep in ``folder`` and writes it there; does nothing if there is none."""
    if (ranking := rank(folder)) is not None:
        path = write(ranking, folder)
        print("\n".join([*lines(ranking, folder), f"  → {path}"]))


def rank(folder: Path) -> Ranking | None:
    """The ranking of the sweep in ``folder``; None if no job has an objective, or if their objectives differ.

    A setting with a failed or a pruned job is below those without, and one that diverged below all others.
    """
    settings, kinds = read_settings(folder)
    if len(kinds) != 1:
        return None
    ((better, names),) = kinds.items()
    signs = [-1 if direction == "higher" else 1 for direction in better]
    costs = {id(one): [s * mean for s, mean in zip(signs, one.means, strict=False)] for one in settings}
    front = {key for key, cost in costs.items() if cost and not any(beats(other, cost) for other in costs.values())}
    ranked = sorted(
        settings, key=lambda one: (not one.values, bool(one.failed or one.pruned), id(one) not in front, costs[id(one)])
    )
    unbeaten = [one for one in ranked if id(one) in front and not one.failed and not one.pruned]
    return Ranking(sorted(names), list(better), ranked, max(1, len(unbeaten)) if len(better) > 1 else 1)


def read_settings(folder: Path) -> tuple[list[Setting], dict[tuple[str, ...], set[str]]]:
    """The settings of a sweep; and for each list of directions, the names of the objectives that have it."""
    settings: dict[tuple[str, ...], Setting] = {}
    kinds: dict[tuple[str, ...], set[str]] = {}
    for job in jobs_in(folder):
        words = read_words(job / ".hydra" / "overrides.yaml")
        kept = tuple(word for word in words if not is_seed(word))
        one = settings.setdefault(kept, Setting(kept))
        one.folders.append(job)
        end = outcome.read(job)
        if (job / outcome.PRUNED).is_file():
            one.pruned.append(job)
            continue
        if end is None or not end.finished or end.objective is None:
            one.failed.append(job)
            continue
        one.values.append(end.objective if isinstance(end.objective, list) else [end.objective])
        kinds.setdefault(tuple(end.better), set()).add(" and ".join(end.names))
    return list(settings.values()), kinds


def beats(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether one setting is at least as good in every goal and better in some; costs, of which less is better."""
    return bool(one) and all(a <= b for a, b in zip(one, other, strict=True)) and list(one) != list(other)


def jobs_in(folder: Path) -> list[Path]:
    """The folders of a sweep's jobs in order, also of those that failed before the training."""
    jobs = [path.parents[1] for path in folder.glob("**/.hydra/overrides.yaml")]
    return sorted(jobs, key=lambda path: [(len(part), part) for part in path.relative_to(folder).parts])


def is_seed(override: str) -> bool:
    """Whether an override sets a seed."""
    key = KEY.match(override)
    return key is not None and SEEDS.fullmatch(key[1]) is not None


def write(ranking: Ranking, folder: Path) -> Path:
    """Writes ``ranking.json`` in the sweep's folder; numbers that are not finite are null."""
    record = {
        "objective": ranking.names,
        "better": ranking.better,
        "best": [setting.command for setting in ranking.settings[: ranking.best]],
        "settings": [
            {
                "overrides": list(one.overrides),
                "mean": [mean if math.isfinite(mean) else None for mean in one.means],
                "standard_error": one.errors,
                "values": [[value if math.isfinite(value) else None for value in values] for values in one.values],
                "jobs": [str(path.relative_to(folder)) for path in one.folders],
                "failed": [str(path.relative_to(folder)) for path in one.failed],
                "pruned": [str(path.relative_to(folder)) for path in one.pruned],
            }
            for one in ranking.settings
        ],
    }
    with write_whole(folder / FILE) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder / FILE


def lines(ranking: Ranking, folder: Path) -> list[str]:
    """The ranking as a table for the terminal, with the failed jobs and the command of the first setting."""
    from gan.evaluation.tables import spread  # imports torch
    from gan.metrics.base import Measure

    shown = ranking.settings[:SHOWN]
    labels = labels_of(ranking.settings)
    cells = [
        [
            str(place),
            *(spread(Measure("", m, standard_error=e)) for m, e in zip(one.means, one.errors, strict=True)),
            *([] if one.values else ["pruned" if one.pruned else "failed", *[""] * (len(ranking.better) - 1)]),
            f"{len(one.values)}/{len(one.folders)}",
            label,
        ]
        for place, (one, label) in enumerate(zip(shown, labels, strict=False), 1)
    ]
    goals = " or ".join(ranking.names)
    several = any(len(one.folders) > 1 for one in ranking.settings)
    text = [f"ranking by {goals}, {' and '.join(ranking.better)} is better{'; mean ± standard error' * several}"]
    text += [f"  {line}" for line in aligned([["", *["objective"] * len(ranking.better), "jobs", "setting"], *cells])]
    if len(ranking.settings) > SHOWN:
        text.append(f"  … {len(ranking.settings) - SHOWN} more in {folder / FILE}")
    for kind, list_of in (("without an objective", attrgetter("failed")), ("pruned", attrgetter("pruned"))):
        names = [str(path.relative_to(folder)) for one in ranking.settings for path in list_of(one)]
        if names:
            text.append(f"{kind}: {', '.join(names)} (a setting with such a job is last)")
    best = ranking.settings[: ranking.best]
    if len(ranking.better) > 1:
        return text + [f"best: {one.command}" for one in best]
    means = [
        Mean(next(iter(one.means), math.nan), next(iter(one.errors), None), len(one.values), len(one.folders))
        for one in ranking.settings
    ]
    return [*text, verdict(means, labels), f"  {best[0].command}"]


def labels_of(settings: Sequence[Setting]) -> list[str]:
    """The overrides of each setting that not all settings have."""
    shared = set.intersection(*(set(one.overrides) for one in settings))
    return [" ".join(word for word in one.overrides if word not in shared) or "(all jobs)" for one in settings]


def aligned(cells: Iterable[Sequence[str]]) -> list[str]:
    """Rows of a table with all columns but the last aligned to the right."""
    rows = list(cells)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([*(c.rjust(w) for c, w in zip(row[:-1], widths, strict=False)), row[-1]]) for row in rows]
