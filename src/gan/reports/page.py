"""The page of a sweep as one HTML text. All texts from files are escaped by the template."""

import base64
import fnmatch
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from markupsafe import Markup

from gan.core.errors import UserError
from gan.evaluation.records import FLOOR
from gan.reports.chart import COLORS, chart, mean_line
from gan.reports.groups import Group
from gan.reports.jobs import Job
from gan.reports.pictures import embed
from gan.reports.ranking import Criterion
from gan.reports.scores import ScoreTable
from gan.reports.study import Study
from gan.reports.table import build_table
from gan.runs.folder import Points

HERE = Path(__file__).parent


@dataclass
class Report:
    """Everything that the page shows.

    Attributes:
        title: of the page.
        jobs: all jobs of the sweep.
        groups: the jobs with a readable configuration, in the order of the page.
        commands: the command line of each group.
        table: the scores of the jobs.
        criterion: the number that ranks the groups; None without one.
        objectives: the other objectives of a search.
        curves: patterns of the scalars to show.
        studies: of a search.
        remarks: lines about what is missing.
        footer: how the page was made.
    """

    title: str
    jobs: list[Job]
    groups: list[Group]
    commands: list[str]
    table: ScoreTable
    criterion: Criterion | None
    curves: list[str]
    objectives: list[Criterion] = field(default_factory=list)
    studies: list[Study] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    footer: str = ""


def render(report: Report) -> str:
    """The page as HTML; it needs no other file and no network."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (Markup((HERE / f"page.{kind}").read_text("utf-8")) for kind in ("css", "js"))
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    panels, missing = draw_panels(report)
    groups = [describe(report, number) for number in range(len(report.groups))]
    return environment.get_template("page.html").render(
        title=report.title,
        facts=facts(report),
        style=style,
        script=script,
        script_hash=f"sha256-{digest}",
        num_jobs=len(report.jobs),
        best=describe_best(report, groups),
        failed=[failure(job) for job in report.jobs if not job.log.finished],
        problems=[problem for job in report.jobs for problem in job.problems],
        groups=groups,
        panels=panels,
        bands=any(len(group.jobs) > 1 for group in report.groups),
        studies=report.studies,
        remarks=[*missing, *report.remarks],
        footer=report.footer,
        **build_table(report.groups, report.table, [*filter(None, [report.criterion]), *report.objectives], groups),
    )


def facts(report: Report) -> list[str]:
    """The line below the title."""
    classes = [str((job.config.get("data") or {}).get("_target_", "")) for job in report.jobs]
    seeds = dict.fromkeys(job.seed for job in report.jobs if job.seed)
    return [
        f"{len(report.jobs)} run{'s' if len(report.jobs) != 1 else ''}",
        f"{len(report.groups)} setting{'s' if len(report.groups) != 1 else ''}",
        f"seed{'s' if len(seeds) != 1 else ''} {', '.join(seeds) or '?'}",
        *dict.fromkeys(name.rpartition(".")[2] for name in classes if name),
    ]


def failure(job: Job) -> dict:
    """A job that did not reach its end."""
    error = job.log.error or "No end and no error in train.log: it is still running, or it was killed."
    return {"name": job.name, "overrides": " ".join(job.overrides), "error": error}


# Groups


def describe(report: Report, number: int) -> dict:
    """What the page shows of a group, except the cells of its row."""
    group = report.groups[number]
    overrides = " ".join(dict.fromkeys(override for job in group.jobs for override in job.overrides))
    mean = report.criterion and report.criterion.means[number]
    return {
        "number": number,
        "color": number % COLORS,
        "dash": f"dash{number // COLORS % 3}",
        "label": group.label,
        "search": f"{group.label} {overrides}".lower(),
        "command": report.commands[number],
        "score": f"{report.criterion.name} {mean}" if report.criterion and mean and mean.count else "",
        "grid": find_grid(group),
        "runs": [{"name": job.name, "text": describe_run(report, job)} for job in group.jobs],
        "warnings": [f"{job.name}: {line}" for job in group.jobs for line in job.log.warnings],
    }


def describe_run(report: Report, job: Job) -> str:
    """One line about a run: its seed, its state, and its scores."""
    numbers = [
        f"{score.metric} {generator} {value:.4g}"
        for (score, generator), value in report.table.jobs[job.name].items()
        if generator != FLOOR
    ]
    objective = [f"objective {', '.join(f'{value:.4g}' for value in job.objective)}"] if job.objective else []
    state = ["pruned by the search"] if job.pruned else [] if job.log.finished else ["did not finish"]
    return " · ".join([f"seed {job.seed}", *state, *objective, *numbers])


def find_grid(group: Group) -> dict | None:
    """The last sample grid of the group's first finished run, of the EMA if there is one.

    A grid that cannot be read is added to the problems of its job.
    """
    for job in sorted(group.jobs, key=lambda job: not job.log.finished):
        generator = "ema" if "ema" in job.grids else next(iter(job.grids), None)
        if generator is None:
            continue
        try:
            picture = embed(job.grids[generator])
        except UserError as error:
            job.problems.append(str(error))
            continue
        caption = f"run {job.name}, seed {job.seed}, {generator}"
        return {"uri": picture.uri, "width": picture.width, "height": picture.height, "caption": caption}
    return None


def describe_best(report: Report, groups: Sequence[dict]) -> dict | None:
    """The best group; None if nothing ranks the groups, or none has a finite number."""
    criterion = report.criterion
    if criterion is None or len(groups) < 2:
        return None
    index = criterion.order()[0]
    mean = criterion.means[index]
    if not (mean.count and math.isfinite(mean.value)):
        return None
    over = f"; mean ± standard error over {mean.count} runs" if mean.count > 1 else "; one run, so its error is unknown"
    return {
        "group": groups[index],
        "name": criterion.name,
        "mean": str(mean),
        "better": criterion.better,
        "over": over,
        "verdict": criterion.verdict([group["label"] for group in groups]),
        "remark": criterion.remark,
    }


# Curves


def draw_panels(report: Report) -> tuple[list[dict], list[str]]:
    """The panels of all scalars that match the patterns, in their order; and one line about what is missing."""
    known = dict.fromkeys(name for group in report.groups for job in group.jobs for name in job.curves)
    names = dict.fromkeys(name for pattern in report.curves for name in known if fnmatch.fnmatchcase(name, pattern))
    panels = [draw_panel(report, name) for name in names if not name.endswith(f"/{FLOOR}")]
    bare = [job.name for group in report.groups for job in group.jobs if not job.curves]
    missing = [f"Without curves (logger=none, or not yet written): {', '.join(bare)}."] if bare else []
    return [panel for panel in panels if panel], missing


def draw_panel(report: Report, name: str) -> dict | None:
    """The panel of one scalar; None if no run has a point of it."""
    curves = [[job.curves.get(name, []) for job in group.jobs] for group in report.groups]
    lines = [mean_line(number, report.groups[number].label, several) for number, several in enumerate(curves)]
    shown = [line for line in lines if line is not None]
    if not shown:
        return None
    if name.startswith("D("):  # a probability
        return {"title": name, "svg": chart(name, shown, (0.0, 1.0), mark=0.5)}
    floor = floor_of(report, name)
    label = "" if floor is None else f"floor {floor:.3g}"
    return {"title": name, "svg": chart(name, shown, mark=floor, mark_label=label)}


def floor_of(report: Report, name: str) -> float | None:
    """The score of real images beside a curve ``valid/METRIC/GENERATOR``, if it is the same in all runs."""
    if not name.startswith("valid/"):
        return None
    floors: list[Points] = [
        job.curves.get(f"{name.rpartition('/')[0]}/{FLOOR}", []) for group in report.groups for job in group.jobs
    ]
    values = {points[-1][1] for points in floors if points}
    return values.pop() if len(values) == 1 else None
