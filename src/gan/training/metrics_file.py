"""The curves as a table, ``metrics.csv``."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from gan.core.files import write_whole
from gan.runs.folder import METRICS_FILE, STEP, read_table


class MetricsFile(Logger):
    """Writes ``metrics.csv``: a row per iteration and a column per scalar, blank where a scalar has no value.

    Every row is in the file before the training continues, so a killed run loses none up to its checkpoint. A run that
    resumes in its own folder replaces the rows after its checkpoint: the file then equals that of an uninterrupted run.
    Lightning's CSVLogger deletes the existing file and writes only every n-th step.

    Args:
        folder: the folder of the file.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.path = Path(folder) / METRICS_FILE
        self._columns: list[str] = []
        self._row: dict[str, Any] = {}  # the last one
        self._offset = 0  # of the last row, in bytes

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return str(self.path.parent)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Writes nothing: they are in the run's ``.hydra/``."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Adds the scalars to the row of the iteration ``step``."""
        if not self._columns:
            self._take_up(step)
        if self._row.get(STEP) != step:
            self._offset, self._row = self.path.stat().st_size, {STEP: step}
        self._row |= metrics
        if new := [name for name in self._row if name not in self._columns]:
            rows = [row for row in read_table(self.path) if int(row[STEP]) != step]
            self._columns += new
            self._rewrite(rows)
        # A row with more values is longer, so that one write replaces it.
        with self.path.open("r+b") as file:
            file.seek(self._offset)
            file.write(self._lines([self._row]))
            file.truncate()

    def _take_up(self, step: int) -> None:
        """Keeps the rows before the iteration ``step`` of an existing file."""
        rows = read_table(self.path)
        self._columns = list(rows[0]) if rows else [STEP]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._rewrite([row for row in rows if int(row[STEP]) < step])

    def _rewrite(self, rows: Sequence[Mapping[str, Any]]) -> None:
        header = self._lines([dict(zip(self._columns, self._columns, strict=True))])
        with write_whole(self.path) as unfinished:
            unfinished.write_bytes(header + self._lines(rows))
        self._offset = self.path.stat().st_size

    def _lines(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        text = io.StringIO()
        csv.DictWriter(text, self._columns, lineterminator="\n").writerows(rows)
        return text.getvalue().encode()
