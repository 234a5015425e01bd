"""Records of scores: ``metrics.json`` in a run's folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import gan
from gan.core.errors import UserError
from gan.core.files import read_json, write_whole

if TYPE_CHECKING:  # reading records does not import torch
    from gan.metrics.base import Measure

FLOOR = "floor"  # real images instead of samples
#: keys that identify a record: a newer record with equal values replaces the older one
IDENTITY = ("metric", "generator", "checkpoint", "iteration", "split", "features", "samples", "seed", "protocol")


@dataclass(frozen=True)
class Row:
    """One score of one generator of one run, or of real images.

    Attributes:
        generator: ``raw``, ``ema`` or ``floor``.
        measure: the score.
        samples: number of scored images.
        features: the name of the feature extractor; ``pixels`` without one.
        split: the reference images, ``test`` or ``valid``.
        better: ``lower`` or ``higher`` if generators can be ranked by the score, else None.
        biased: whether fewer samples raise the score of the same generator.
    """

    generator: str
    measure: "Measure"
    samples: int
    features: str
    split: str = "test"
    better: str | None = None
    biased: bool = False


def record(row: Row, seed: int, checkpoint: str, iteration: int, data: str, device: str) -> dict:
    """A row as a record of ``metrics.json``; docs/metrics.md describes the keys.

    Args:
        row: the score.
        seed: seed of the latents.
        checkpoint: the file of the weights.
        iteration: the iteration of the weights.
        data: description of the data.
        device: the device on which the samples were generated.
    """
    import torch

    measure = row.measure
    return {
        "metric": measure.name,
        "value": measure.value,
        "unit": measure.unit,
        "better": row.better,
        "standard_error": measure.standard_error,
        "generator": row.generator,
        "checkpoint": checkpoint,
        "iteration": iteration,
        "split": row.split,
        "features": row.features,
        "samples": row.samples,
        "seed": seed,
        "protocol": measure.details,
        "found": measure.found,
        "provenance": {
            "data": data,
            "device": device,
            "gan": gan.__version__,
            "torch": torch.__version__,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }


def write(folder: Path, records: Sequence[dict]) -> Path:
    """Adds the records to the run's ``metrics.json``; replaces only a score with the same protocol."""
    path = folder / "metrics.json"
    new = [_identity(record) for record in records]
    kept = [old for old in read(path) if _identity(old) not in new]
    with write_whole(path) as unfinished:
        unfinished.write_text(json.dumps([*kept, *records], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> list[dict]:
    """The records in a ``metrics.json``; empty if there is no such file."""
    if not path.is_file():
        return []
    try:
        records = read_json(path)
        if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
            raise ValueError("not a list of records")
    except ValueError as error:
        raise UserError(
            f"{path} is not a list of records ({error}); move it away to have a new one written."
        ) from error
    return records


def _identity(record: dict) -> list:
    return [record.get(key) for key in IDENTITY]
