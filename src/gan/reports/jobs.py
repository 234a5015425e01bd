"""What the jobs of a sweep left in their folders. A part that is damaged is left out and reported in one line."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan.core.errors import UserError, one_line
from gan.evaluation.records import read
from gan.runs import outcome
from gan.runs.folder import Points, RunFolder
from gan.runs.foreign import read_yaml

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (?P<level>[A-Z]+) (?P<message>.*)")
GRID = re.compile(r"step=(\d+)_(\w+)\.png")


@dataclass
class Log:
    """The part of ``train.log`` that a report shows.

    Attributes:
        warnings: the lines of the diagnosis, without repetitions.
        error: the last error, None if the run reached its end after it.
        finished: whether the run reached its end.
    """

    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    finished: bool = False


@dataclass
class Job:
    """One run of ``train.py``.

    Attributes:
        folder: the run's folder.
        name: its path below the sweep's folder.
        config: the resolved configuration.
        overrides: those of its command line.
        choices: the chosen file of each group.
        scores: the records of ``metrics.json``.
        curves: points (epoch, value) by the name of the scalar.
        grids: the last sample grid of each generator, ``raw`` or ``ema``.
        log: what ``train.log`` says.
        objective: the values that were returned to the sweeper; empty if none is stored.
        goals: the name of each of them, and ``lower`` or ``higher``; empty if they are not stored.
        pruned: whether a search ended the run early.
        problems: one line for each part that could not be read.
    """

    folder: Path
    name: str
    config: dict = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    choices: dict[str, str] = field(default_factory=dict)
    scores: list[dict] = field(default_factory=list)
    curves: dict[str, Points] = field(default_factory=dict)
    grids: dict[str, Path] = field(default_factory=dict)
    log: Log = field(default_factory=Log)
    objective: list[float] = field(default_factory=list)
    goals: list[tuple[str, str]] = field(default_factory=list)
    pruned: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def seed(self) -> str:
        """The seed of the run; empty if its configuration has none."""
        return str(self.config.get("seed", ""))


def read_jobs(folder: str | Path | None) -> list[Job]:
    """The jobs of a sweep, at any depth below its folder, or the run in this folder.

    Raises:
        UserError: there is no such folder, or it holds no run.
    """
    if not folder:
        raise UserError("run is missing; give a sweep's folder: run=outputs/sweeps/DATE_TIME, or a run's.")
    root = Path(folder)
    if not root.is_dir():
        raise UserError(f"run={folder}: no such folder. Sweeps are in outputs/sweeps/DATE_TIME.")
    found = {path.parent.parent for path in root.rglob(".hydra/config.yaml")}
    found |= {path.parent for path in root.rglob("checkpoints")}  # a run whose .hydra/ is lost
    if not found:
        raise UserError(f"run={folder} holds no runs: expected folders of train.py, with .hydra/config.yaml.")
    return [read_job(path, str(path.relative_to(root))) for path in sorted(found, key=natural)]


def read_job(folder: Path, name: str) -> Job:
    """Everything that a report shows of the run in ``folder``."""
    job = Job(folder, folder.resolve().name if name == "." else name)
    run = RunFolder(folder)
    job.config = attempt(job, "its configuration", lambda: read_config(run), {})
    read_command(job)
    job.scores = attempt(job, "metrics.json", lambda: read_scores(folder), [])
    job.curves = attempt(job, "its curves", lambda: checked_curves(run), {})
    job.log = attempt(job, "train.log", lambda: read_log(folder), Log())
    ended = attempt(job, "outcome.json", lambda: outcome.read(folder), None)
    if ended is not None:
        value = ended.objective
        job.objective = [] if value is None else value if isinstance(value, list) else [value]
        job.goals = list(zip(ended.names, ended.better, strict=False))
        job.log.finished = ended.finished and job.log.error is None
    job.pruned = (folder / outcome.PRUNED).is_file()
    job.grids = last_grids(folder)
    return job


def read_command(job: Job) -> None:
    """Sets what the command line of the run chose: its overrides, and the file of each group."""
    job.overrides = attempt(job, ".hydra/overrides.yaml", lambda: read_overrides(job.folder), [])
    job.choices = attempt(job, ".hydra/hydra.yaml", lambda: read_choices(job.folder), {})


def attempt(job: Job, part: str, read_part: Callable[[], Any], otherwise: Any) -> Any:
    """The result of ``read_part``; if it fails ``otherwise``, and one line among the job's problems."""
    try:
        return read_part()
    except (UserError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        message = one_line(error)
        named = message if isinstance(error, UserError) else f"{job.folder}: {part} cannot be read ({message})"
        job.problems.append(f"{named}.")
        return otherwise


def natural(path: Path) -> list[tuple[int, int | str]]:
    """Sorts 2 before 10."""
    parts = re.findall(r"\d+|\D+", str(path))
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def read_config(run: RunFolder) -> dict:
    """The run's configuration; raises UserError if the file holds something else."""
    if "seed" not in run.settings:
        raise UserError(f"{run.path}: .hydra/config.yaml is not a configuration of train.py")
    return run.settings


def read_overrides(folder: Path) -> list[str]:
    """The overrides of the run's command line; empty if they were not recorded."""
    file = folder / ".hydra" / "overrides.yaml"
    if not file.is_file():
        return []
    overrides = read_yaml(file)
    if not isinstance(overrides, list):
        raise UserError(f"{file} is not a list of overrides")
    return [str(override) for override in overrides]


def read_choices(folder: Path) -> dict[str, str]:
    """The chosen file of each group; empty if Hydra did not start the run."""
    file = folder / ".hydra" / "hydra.yaml"
    if not file.is_file():
        return {}
    settings: Any = read_yaml(file)
    return {str(group): str(choice) for group, choice in settings["hydra"]["runtime"]["choices"].items()}


def read_scores(folder: Path) -> list[dict]:
    """The records of ``metrics.json`` that hold a score."""
    records = read(folder / "metrics.json")
    for record in records:
        if not {"metric", "value", "generator"} <= record.keys() or not isinstance(record["value"], int | float):
            raise UserError(f"{folder / 'metrics.json'} has a record without metric, value or generator")
    return records


def checked_curves(run: RunFolder) -> dict[str, Points]:
    """The run's curves; raises UserError for event files without a readable point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        curves = run.curves()
    if not curves and list(run.path.glob("events.out.tfevents.*")):
        raise UserError(f"{run.path} has event files without a readable point")
    return curves


def read_log(folder: Path) -> Log:
    """Reads ``train.log``; a run without one, started from Python, is taken for finished if it has a checkpoint."""
    file = folder / "train.log"
    if not file.is_file():
        return Log(finished=any((folder / "checkpoints").glob("*.ckpt")))
    found = Log()
    level = ""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if (parts := LINE.match(line)) is None:
            if level == "ERROR" and line[:1].strip():  # the last line of a traceback names the exception
                found.error = line
            continue
        level, message = parts["level"], parts["message"]
        if level == "WARNING" and message.startswith("iteration ") and message not in found.warnings:
            found.warnings.append(message)
        elif level == "ERROR":
            found.error, found.finished = message.removeprefix("error: "), False
        elif level == "INFO" and message.startswith("done: "):
            found.error, found.finished = None, True
    return found


def last_grids(folder: Path) -> dict[str, Path]:
    """The sample grid of the highest iteration for each generator."""
    steps: dict[str, tuple[int, Path]] = {}
    for path in sorted((folder / "samples").glob("step=*.png")):
        if match := GRID.fullmatch(path.name):
            step, generator = int(match[1]), match[2]
            steps[generator] = max(steps.get(generator, (step, path)), (step, path))
    return {generator: path for generator, (_, path) in steps.items()}
