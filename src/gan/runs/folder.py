"""A run's folder: checkpoints, settings and curves. Reading them builds no networks and does not import torch."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omegaconf import OmegaConf

from gan.core.errors import UserError, did_you_mean
from gan.runs.migrations import migrate_config

BEST = "best"  # the checkpoint chosen by evaluate.py select=best


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
        config = OmegaConf.load(file)
        config.output_dir = str(self.path)
        plain = OmegaConf.to_container(config, resolve=True)
        return plain if "method" in plain else migrate_config(plain)

    def checkpoints(self) -> dict[str, Path]:
        """The checkpoint files by name without the extension."""
        return {path.stem: path for path in sorted((self.path / "checkpoints").glob("*.ckpt"))}

    def read_scalars(self, names: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
        """Points (epoch, value) of each scalar in the event files.

        If an iteration was trained twice, before and after a resume, the second value is used.

        Raises:
            UserError: the run has no curves, or none with this name.
        """
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        if not list(self.path.glob("events.out.tfevents.*")):
            raise UserError(f"{self.path} has no curves; they are written in a training with logger=tensorboard.")
        events = EventAccumulator(str(self.path), size_guidance={"scalars": 0}).Reload()
        known = events.Tags()["scalars"]
        for name in (*names, "epoch"):
            if name not in known:
                hint = f"{did_you_mean(name, known)} It has: {', '.join(known) or 'none'}."
                raise UserError(f"{self.path} has no scalar {name}.{hint}")
        epochs = {event.step: event.value for event in events.Scalars("epoch")}
        return {
            name: sorted((epochs[x], value) for x, value in latest(events.Scalars(name)).items() if x in epochs)
            for name in names
        }


def latest(events: Sequence) -> dict[int, float]:
    """Maps iterations to values of TensorBoard's scalar events; for a repeated iteration the last value."""
    return {event.step: event.value for event in sorted(events, key=lambda event: event.wall_time)}


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
        raise UserError(f"run={folder} holds no checkpoints/; give the folder of a single run.")
    if which not in held:
        if which == BEST:
            raise UserError(f"checkpoint=best: none has been chosen; python evaluate.py run={folder} select=best does.")
        raise UserError(f"checkpoint={which}: {folder} has {', '.join(held)}.{did_you_mean(which, held)}")
    return held[which]


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
