"""One HTML page about the runs of a sweep: the implementation of ``report.py``. It does not import torch."""

import logging
import shlex
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

import gan
from gan.app.failures import in_one_line
from gan.app.search_path import recorded
from gan.core.errors import UserError
from gan.core.files import write_whole
from gan.reports.groups import Group, group_jobs
from gan.reports.jobs import read_jobs
from gan.reports.page import Report, facts, render
from gan.reports.ranking import choose_criterion, objectives
from gan.reports.scores import HIGHER, LOWER, collect
from gan.reports.study import Study, find_study, read_studies

log = logging.getLogger(__name__)

SHOWN = 20  # lines on the terminal about what could not be read


@in_one_line
def run(cfg: DictConfig) -> Path:
    """Writes the page that ``cfg`` names, and prints its path and one line for each part that could not be read.

    Returns:
        The page's file.

    Raises:
        UserError: any mistake that the user can fix.
    """
    for key in ("run", "file", "best_by"):
        if not isinstance(cfg[key], str | None):
            raise UserError(f"{key} must be text or null, got {cfg[key]}.")
    if cfg.better not in (None, LOWER, HIGHER):
        raise UserError(f"better must be {LOWER}, {HIGHER} or null, got {cfg.better}.")
    report = gather(cfg)
    path = Path(cfg.run) / "report.html" if cfg.file is None else Path(cfg.file)
    page = render(report)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(path) as unfinished:
            unfinished.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error
    lines = [*(problem for job in report.jobs for problem in job.problems), *report.remarks]
    for line in lines[:SHOWN]:
        log.warning("%s", line)
    if len(lines) > SHOWN:
        log.warning("… and %d more lines in the page", len(lines) - SHOWN)
    summarize(report)
    log.info("  → %s (%s kB)", path, f"{path.stat().st_size / 1000:,.0f}")
    return path


def gather(cfg: DictConfig) -> Report:
    """Reads the runs and arranges what the page shows."""
    jobs = read_jobs(cfg.run)
    folder = Path(cfg.run)
    groups = group_jobs(jobs)
    table = collect(jobs)
    criterion = choose_criterion(groups, table, cfg.best_by, cfg.better)
    others = [one for one in objectives(groups)[1:] if criterion and one.name != criterion.name]
    if criterion is not None:
        order = criterion.order()
        groups = [groups[i] for i in order]
        for one in (criterion, *others):
            one.means = [one.means[i] for i in order]
    remarks = []
    if not any(job.scores for job in jobs):
        remarks.append(f"No scores yet; {shlex.join(['python', 'evaluate.py', f'run={folder}'])} computes them.")
    if criterion is None and len(groups) > 1:
        remarks.append("Nothing ranks the settings: no objective is stored, and no score with a known direction.")
    studies = gather_studies(folder, remarks)
    if not OmegaConf.is_list(cfg.curves):
        raise UserError(f"curves must be a list of patterns such as ['D(*','loss/*'], got {cfg.curves}.")
    commands = [group.command(options(group, remarks)) for group in groups]
    patterns = [str(pattern) for pattern in cfg.curves]
    footer = f"{shlex.join(['python', 'report.py', f'run={folder}'])} · gan {gan.__version__}"
    name = folder.resolve().name
    single = len(jobs) == 1 and jobs[0].folder == folder
    title = f"{'Run' if single else 'Sweep'} {name}"
    return Report(title, jobs, groups, commands, table, criterion, patterns, others, studies, remarks, footer)


def gather_studies(folder: Path, remarks: list[str]) -> list[Study]:
    """The studies in the sweep's folder; a file that cannot be read gives a remark."""
    file = find_study(folder)
    try:
        return read_studies(file) if file else []
    except UserError as error:
        remarks.append(str(error))
        return []


def options(group: Group, remarks: list[str]) -> list[str]:
    """The arguments that name the user's own folders of configuration files; a lost folder gives a remark."""
    try:
        arguments, search_path = recorded(group.jobs[0].folder)
    except UserError as error:
        remarks.append(str(error))
        return []
    return [*search_path, *arguments]


def summarize(report: Report) -> None:
    """Prints the numbers of runs and settings; and the first setting, how sure its place is, and its command."""
    unfinished = sum(not job.log.finished for job in report.jobs)
    log.info(
        "%s%s",
        ", ".join(facts(report)[:2]),
        f", {unfinished} not finished" if unfinished else "",
    )
    if report.criterion is not None and len(report.groups) > 1 and report.criterion.means[0].count:
        labels = [group.label for group in report.groups]
        log.info("%s  %s %s", labels[0], report.criterion.name, report.criterion.means[0])
        log.info("  %s", report.criterion.verdict(labels))
        log.info("  %s", report.commands[0])
