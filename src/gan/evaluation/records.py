"""Numbers as they are written down: ``metrics.json`` in a run's folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

import gan
from gan.core.errors import UserError
from gan.core.files import write_whole
from gan.metrics.base import Measure
from gan.runs.run import Run

FLOOR = "floor"  # real images in place of samples
#: what two records must share for the newer one to take the older one's place
IDENTITY = ("metric", "generator", "checkpoint", "iteration", "split", "features", "samples", "seed", "protocol")


@dataclass(frozen=True)
class Row:
    """One number of one generator of one run, or of real images.

    Attributes:
        generator: ``raw``, ``ema`` or ``floor``.
        measure: the number.
        samples: how many images were judged.
        features: the name of the feature net that looked at them, ``pixels`` where none did.
        split: the images they were compared with, ``test`` or ``valid``.
    """

    generator: str
    measure: Measure
    samples: int
    features: str
    split: str = "test"


def record(run: Run, row: Row, seed: int) -> dict:
    """A row, drawn with noise of ``seed``, as it stands in ``metrics.json``; docs/metrics.md describes the keys."""
    measure = row.measure
    return {
        "metric": measure.name,
        "value": measure.value,
        "unit": measure.unit,
        "standard_error": measure.standard_error,
        "generator": row.generator,
        "checkpoint": _named(run),
        "iteration": run.module.iteration,
        "split": row.split,
        "features": row.features,
        "samples": row.samples,
        "seed": seed,
        "protocol": measure.details,
        "found": measure.found,
        "provenance": {
            "data": run.data.describe(),
            "device": next(run.module.parameters()).device.type,
            "gan": gan.__version__,
            "torch": torch.__version__,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }


def _named(run: Run) -> str:
    """The checkpoint's file name, or its path where it lies outside of the run."""
    if run.checkpoint is None:
        return "last.ckpt"  # of a training that has just ended
    path = run.checkpoint.resolve()  # best.ckpt is another's name
    return path.name if path.is_relative_to(run.folder.resolve()) else str(run.checkpoint)


def write(folder: Path, records: Sequence[dict]) -> Path:
    """Adds the records to the run's ``metrics.json``; only a number of the very same protocol is replaced."""
    path = folder / "metrics.json"
    new = [_identity(record) for record in records]
    kept = [old for old in read(path) if _identity(old) not in new]
    with write_whole(path) as unfinished:
        unfinished.write_text(json.dumps([*kept, *records], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> list[dict]:
    """The records in a ``metrics.json``, none where there is no such file."""
    if not path.is_file():
        return []
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
            raise ValueError("not a list of records")
    except ValueError as error:
        raise UserError(
            f"{path} is not a list of records ({error}); move it away to have a new one written."
        ) from error
    return records


def _identity(record: dict) -> list:
    return [record.get(key) for key in IDENTITY]
