"""Jobs that differ only in their seed as one group: its label and its command."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gan.core.containers import flatten
from gan.reports.jobs import Job
from gan.runs.identity import PLACES, SEEDS, WATCHERS, Setting, labels, setting

OVERRIDE = re.compile(r"(?P<key>(?:\+\+|\+|~)?[\w/.@-]+)(?:=(?P<value>.*))?", re.DOTALL)
DEFAULTS = "the defaults"  # the label of a run without overrides


@dataclass
class Group:
    """The jobs of one setting.

    Attributes:
        setting: the configuration without the seed.
        jobs: the jobs in order.
        values: the value of each key in which the groups of a sweep differ, as on the command line.
        label: the keys and values as one text.
    """

    setting: Setting
    jobs: list[Job]
    values: dict[str, str] = field(default_factory=dict)
    label: str = ""

    @property
    def seeds(self) -> list[str]:
        """The seeds of the runs, without duplicates."""
        return list(dict.fromkeys(job.seed for job in self.jobs))

    def command(self, options: Sequence[str] = ()) -> str:
        """The command line that repeats the group's runs, quoted for a shell.

        Args:
            options: further arguments, such as the user's folder of configuration files.
        """
        words = []
        for key, value in parse(self.jobs[0].overrides).items():
            name = key.lstrip("+~")
            if name in ("output_dir", "ckpt_path"):
                continue
            values = [value]
            if SEEDS.fullmatch(name):
                values = list(dict.fromkeys(parse(job.overrides).get(key, value) for job in self.jobs))
            words.append(key if value is None else f"{key}={','.join(map(str, values))}")
        sweep = ["-m"] if len(self.jobs) > 1 else []
        return shlex.join(["python", "train.py", *sweep, *words, *options])


def parse(overrides: Iterable[str]) -> dict[str, str | None]:
    """The value of each override by its key with its sign, as in ``+callbacks.mine.margin``; None for ``~key``."""
    matches = (OVERRIDE.fullmatch(override) for override in overrides)
    return {match["key"]: match["value"] for match in matches if match}


def group_jobs(jobs: Iterable[Job]) -> list[Group]:
    """Groups jobs with the same setting; a job whose configuration is unreadable is in no group."""
    found: dict[Setting, Group] = {}
    for job in jobs:
        if job.config:
            key = setting(job.config)
            found.setdefault(key, Group(key, [])).jobs.append(job)
    groups = list(found.values())
    keys = swept_keys(groups)
    for group in groups:
        group.values = {key: value_of(group.jobs[0], key) for key in keys}
    rounded = {tuple(map(shorten, group.values.values())) for group in groups}
    short = shorten if len(rounded) == len({tuple(group.values.values()) for group in groups}) else str
    for group in groups:
        words = [f"{key}={short(value)}" for key, value in group.values.items()]
        group.label = " ".join(words) or label_of(group.jobs[0].overrides)
    for same in alike(groups):  # they differ in keys that were not on the command line
        for group, difference in zip(same, labels([dict(group.setting) for group in same]), strict=True):
            group.label = f"{group.label} {difference}" if group.values else difference
    return groups


def shorten(value: str) -> str:
    """A number with four digits; other values as they are."""
    try:
        rounded = f"{float(value):.4g}"
    except ValueError:
        return value
    return min(value, rounded, key=len)


def alike(groups: Sequence[Group]) -> list[list[Group]]:
    """The sets of several groups with the same values of the swept keys."""
    found: dict[tuple, list[Group]] = {}
    for group in groups:
        found.setdefault(tuple(group.values.items()), []).append(group)
    return [same for same in found.values() if len(same) > 1]


def swept_keys(groups: Sequence[Group]) -> list[str]:
    """The keys of overrides in which groups differ, without signs, in the order of the command lines."""
    keys = dict.fromkeys(key.lstrip("+~") for group in groups for job in group.jobs for key in parse(job.overrides))
    telling = []
    for key in keys:
        observes = any(kind.fullmatch(key) for kind in (PLACES, SEEDS, WATCHERS)) or key.startswith("hydra")
        if not observes and len({value_of(group.jobs[0], key) for group in groups}) > 1:
            telling.append(key)
    return telling


def value_of(job: Job, key: str) -> str:
    """The value of a key as on the command line: an override, else the chosen file of a group, else the value used."""
    for written, value in parse(job.overrides).items():
        if written.lstrip("+~") == key:
            return "none" if value is None else value
    if key in job.choices:
        return job.choices[key]
    used = flatten(job.config).get(key)
    return "null" if used is None else str(used)


def label_of(overrides: Iterable[str]) -> str:
    """The overrides without seeds, paths and what does not affect the training; :data:`DEFAULTS` if none is left."""
    shown = [
        override
        for override in overrides
        if not any(kind.fullmatch(next(iter(parse([override])), "").lstrip("+~")) for kind in (PLACES, SEEDS, WATCHERS))
    ]
    return " ".join(shown) or DEFAULTS
