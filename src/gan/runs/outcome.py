"""How a run ended: ``outcome.json`` in its folder. A sweep returns it to the sweeper instead of a second training.

Reading it does not import torch.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gan.core.errors import UserError
from gan.core.files import read_json, write_whole

FILE = "outcome.json"
#: in the folder of a run that a search has pruned; says where
PRUNED = "pruned.json"

Objective = float | list[float] | None


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    Attributes:
        objective: what the run returned to the sweeper: a number, several in a multi-objective search, or None. It may
            be infinite or NaN.
        finished: whether the run reached its end; False for one that a time limit ended, which can be resumed.
        names: the name of each number of the objective.
        better: ``lower`` or ``higher`` for each of them.
    """

    objective: Objective
    finished: bool = True
    names: list[str] = field(default_factory=list)
    better: list[str] = field(default_factory=list)


def write(
    folder: str | Path,
    objective: Objective,
    *,
    finished: bool = True,
    names: Sequence[str] = (),
    better: Sequence[str] = (),
) -> Path:
    """Records the end of the run in ``folder``, which must exist; returns the file. See :class:`Outcome`."""
    path = Path(folder) / FILE
    record = asdict(Outcome(objective, finished, list(names), list(better))) | {"objective": _plain(objective)}
    with write_whole(path) as unfinished:
        unfinished.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return path


def read(folder: str | Path) -> Outcome | None:
    """The recorded end of the run in ``folder``; None if it has not ended, or was killed.

    Raises:
        UserError: the file is damaged.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    try:
        record = read_json(path)
        objective, finished = _parsed(record["objective"]), bool(record["finished"])
        return Outcome(objective, finished, *(list(map(str, record.get(key, []))) for key in ("names", "better")))
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} is not the record of a run's end ({error}); remove it to train the run again."
        ) from error


def _plain(value: Objective) -> object:
    """JSON has no infinity and no NaN: these become text."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if value is None or math.isfinite(value) else str(value)


def _parsed(value: Any) -> Objective:
    if isinstance(value, list):
        return [float(one) for one in value]
    return None if value is None else float(value)
