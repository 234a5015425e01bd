"""A run's folder: checkpoints, settings and curves. Reading them builds no networks and does not import torch."""

import csv
import math
import os
import shlex
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gan.core.errors import UserError, did_you_mean, one_line
from gan.runs.foreign import read_yaml, resolve
from gan.runs.migrations import migrate_config

Points = list[tuple[float, float]]

BEST = "best"  # the checkpoint chosen by evaluate.py select=best
METRICS_FILE = "metrics.csv"  # of logger=csv
STEP = "step"  # its column of iterations
MAX_STEP = 2**63


@dataclass(frozen=True)
class RunFolder:
    """The output folder of ``train.py``.

    Attributes:
        path: path of the folder.
    """

    path: Path

    @cached_property
    def settings(self) -> dict:
        """The configuration of the run's last start, resolved and migrated to the current keys.

        Raises:
            UserError: the folder has no configuration.
        """
        file = self.path / ".hydra" / "config.yaml"
        if not file.is_file():
            raise UserError(f"{self.path} has no .hydra/config.yaml: expected the folder of a run of train.py.")
        config = read_yaml(file)
        if not isinstance(config, dict):
            raise UserError(f"{file} is not the configuration of a run of train.py.")
        plain = resolve(config | {"output_dir": str(self.path)}, str(file))
        return plain if "method" in plain else migrate_config(plain)

    def checkpoints(self) -> dict[str, Path]:
        """The checkpoint files by name without the extension."""
        return {path.stem: path for path in sorted((self.path / "checkpoints").glob("*.ckpt"))}

    def read_scalars(self, names: Sequence[str]) -> dict[str, Points]:
        """Points (epoch, value) of each scalar in the event files, or else in ``metrics.csv``.

        Raises:
            UserError: the run has no curves, or none with this name.
        """
        known = self.curves()
        if not known:
            raise UserError(
                f"{self.path} has no curves; they are written in a training with logger=tensorboard or logger=csv."
            )
        for name in (*names, "epoch"):
            if name not in known:
                hint = f"{did_you_mean(name, known)} It has: {', '.join(known) or 'none'}."
                raise UserError(f"{self.path} has no scalar {name}.{hint}")
        return {name: known[name] for name in names}

    def curves(self) -> dict[str, Points]:
        """Points (epoch, value) of every scalar in the event files, or else in ``metrics.csv``; empty without them.

        If an iteration was trained twice, before and after a resume, the second value is used. Scores are computed at
        the ends of epochs, between two points of the other curves; their epoch is proportional to the iteration.
        """
        values = self._read_events() or self._read_metrics_file()
        epochs = values.get("epoch")
        if not epochs:
            return {name: [] for name in values}
        last = max(epochs)
        if not last / MAX_STEP < epochs[last] < math.inf:
            raise UserError(f"{self.path}: its curves are damaged: epoch is {epochs[last]} at iteration {last:,}.")
        batches = max(1, round(last / epochs[last]))  # per epoch
        return {
            name: sorted((epochs.get(x, as_stored(x / batches)), value) for x, value in points.items())
            for name, points in values.items()
        }

    def _read_events(self) -> dict[str, dict[int, float]]:
        """Values by iteration of every scalar in the event files; empty if there is none."""
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        if not list(self.path.glob("events.out.tfevents.*")):
            return {}
        events = EventAccumulator(str(self.path), size_guidance={"scalars": 0}).Reload()
        return {name: latest(events.Scalars(name)) for name in events.Tags()["scalars"]}

    def _read_metrics_file(self) -> dict[str, dict[int, float]]:
        """Values by iteration of every scalar in ``metrics.csv``; empty if there is no such file."""
        rows = read_table(self.path / METRICS_FILE)
        names = [name for name in (rows[0] if rows else ()) if name != STEP]
        return {name: {int(row[STEP]): float(row[name]) for row in rows if row[name]} for name in names}


def as_stored(value: float) -> float:
    """The value as an event file returns it, in float32."""
    return struct.unpack("f", struct.pack("f", value))[0]


def read_table(path: Path) -> list[dict[str, str]]:
    """The complete rows of a ``metrics.csv``, as text by column; empty if there is no such file.

    Raises:
        UserError: a row without an iteration, or with another value than a number.
    """
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # a killed process may leave a part of a row
        rows = list(csv.DictReader(whole.splitlines(), strict=True))
        for row in rows:
            if not 0 <= int(row[STEP]) < MAX_STEP:
                raise ValueError(f"{STEP} {row[STEP]}")
            for value in filter(None, row.values()):
                float(value)
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is damaged ({one_line(error)[:100]}); move it away.") from error
    return rows


def latest(events: Sequence) -> dict[int, float]:
    """Maps iterations to values of TensorBoard's scalar events; for a repeated iteration the last value."""
    return {event.step: event.value for event in sorted(events, key=lambda event: event.wall_time)}


def whole(points: Points) -> Points:
    """Drops a last point that averages fewer batches than the others, because the run ended between two points."""
    if len(points) < 3:
        return points
    regular, last = points[-2][0] - points[-3][0], points[-1][0] - points[-2][0]
    return points[:-1] if last < 0.9 * regular else points


def find_checkpoint(folder: str | Path | None, which: str) -> Path:
    """The file of ``run=folder checkpoint=which``; raises UserError if there is none."""
    if not folder:
        raise UserError("run is missing; give a run's folder: run=outputs/runs/DATE/TIME.")
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"run={folder}: no such folder. Runs are in outputs/runs/DATE/TIME.")
    inside = folder / "checkpoints" / Path(which).name
    if which.endswith(".ckpt") and not (inside.name == which and inside.is_file()):
        return Path(which)
    which = which.removesuffix(".ckpt")
    held = RunFolder(folder).checkpoints()
    if not held:
        below = [run for run in _walk(folder) if Path(run) != folder]
        if below:
            raise UserError(
                f"run={folder} holds no checkpoints/; give the folder of a single run, such as {min(below)}."
            )
        raise UserError(f"run={folder} holds no runs: expected folders of train.py, with checkpoints/last.ckpt.")
    if which not in held:
        if which == BEST:
            command = shlex.join(["python", "evaluate.py", f"run={folder}", "select=best"])
            raise UserError(f"checkpoint=best: none has been chosen; {command} does.")
        raise UserError(f"checkpoint={which}: {folder} has {', '.join(held)}.{did_you_mean(which, held)}")
    return held[which]


def check_links(folder: Path) -> None:
    """Raises UserError for a link in a run's folder that leads out of it.

    The folder may come from another person: writing a figure or a score through such a link would change another file.
    The checkpoints are exempt: they are only read.
    """
    for where, folders, names in os.walk(folder):
        for path in (Path(where, name) for name in [*folders, *names]):
            if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
                raise UserError(f"{path} is a link out of the run's folder, to {path.resolve()}; remove the link.")
        folders[:] = [name for name in folders if name != "checkpoints"]


def runs_in(folder: str | Path | None) -> list[Path]:
    """The run folders in ``folder``: the folder itself, or the jobs of a sweep in order, at any depth.

    The folder of a job may have several parts: ``optim/schedule=linear,seed=1`` of ``${hydra.job.override_dirname}``.
    """
    if not folder:
        return []
    found = [Path(place) for place in _walk(Path(folder))]
    return sorted(found, key=lambda path: [(len(part), part) for part in path.parts]) or [Path(folder)]  # 2 before 10


def _walk(folder: Path) -> Iterator[str]:
    """The folders of runs in ``folder``; what lies inside a run is not searched."""
    for place, inner, _ in os.walk(folder):
        if "checkpoints" in inner:
            yield place
            inner.clear()
