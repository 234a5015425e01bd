"""Records of scores: ``metrics.json`` in a run's folder."""

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
        features: the name of the feature extractor that looked at them, ``pixels`` where none did.
        split: the images they were compared with, ``test`` or ``valid``.
        better: ``lower`` or ``higher`` for a number by which generators can be ranked, else None.
    """

    generator: str
    measure: Measure
    samples: int
    features: str
    split: str = "test"
    better: str | None = None


def record(row: Row, seed: int, checkpoint: str, iteration: int, data: str, device: str) -> dict:
    """A row as it stands in ``metrics.json``; docs/metrics.md describes the keys.

    Args:
        row: the number.
        seed: of the latents.
        checkpoint: where the weights came from.
        iteration: how long they had been trained.
        data: description of the data.
        device: where the samples were generated.
    """
    measure = row.measure
    return {
        "metric": measure.name,
        "value": measure.value,
        "unit": measure.unit,
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
