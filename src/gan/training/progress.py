"""Training progress: one updated line on a terminal, or a line per tenth of the training in a log file."""

import logging
import re
import sys
from collections.abc import Callable

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm

from gan.training.monitor import Monitor

log = logging.getLogger(__name__)


class Bar(tqdm):
    """A tqdm bar that fits its fields into the terminal's width.

    Args:
        describe: returns the epoch, and the scalars in order of importance.
        **options: options of tqdm.
    """

    def __init__(self, describe: Callable[[], tuple[str, list[str]]], **options) -> None:
        self.describe = describe
        super().__init__(**options)

    def __str__(self) -> str:
        state = self.format_dict
        elapsed = self.format_interval(state["elapsed"])
        rate = state["rate"] or (self.n - self.initial) / state["elapsed"] if state["elapsed"] else 0
        left = self.format_interval((self.total - self.n) / rate) if rate else "?"
        epoch, fields = self.describe()
        line = f"{epoch} {self.n / self.total:4.0%} {elapsed}<{left}"
        width = (state["ncols"] or 80) - 1
        fitting = [field for n, field in enumerate(fields) if len(" ".join([line, *fields[: n + 1]])) <= width]
        line = " ".join([line, *fitting])
        room = min(20, width - len(line) - 3)
        if len(fitting) == len(fields) and room >= 8:
            filled = round(room * self.n / self.total)
            line += f" [{'#' * filled}{'.' * (room - filled)}]"
        return line


class Progress(ProgressBar):
    """Shows epoch, share done, time left, D(x) and D(G(z)) or the scores, the losses and images per second.

    On a terminal it updates one line and omits fields that do not fit. Elsewhere, in a log file or on a cluster, it
    writes a line at every tenth of the training, with the scalars if there is a new point since the last line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bar: Bar | None = None
        self._enabled = True
        self._logged: list[str] = []  # the fields of the last line with scalars

    def disable(self) -> None:
        self._enabled = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._enabled and trainer.is_global_zero and sys.stderr.isatty():
            self.bar = Bar(
                lambda: (self.epoch(trainer, pl_module), self.fields(trainer)),
                total=pl_module.total_iterations,
                initial=pl_module.iteration,
                dynamic_ncols=True,
                file=sys.stderr,
            )

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        done, total = pl_module.iteration, pl_module.total_iterations
        if self.bar is not None:
            self.bar.update()
        elif self._enabled and trainer.is_global_zero and done * 10 // total > (done - 1) * 10 // total:
            fields = self.fields(trainer)
            numbers = "  ".join(fields) if fields != self._logged else ""
            line = f"{self.epoch(trainer, pl_module)}  {done * 100 // total:3d}%  {numbers}"
            log.info("%s", line.rstrip())
            self._logged = fields

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the last line on the terminal."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    @staticmethod
    def epoch(trainer: pl.Trainer, pl_module: pl.LightningModule) -> str:
        """``epoch 3/120``: the current epoch, counted from 1."""
        per_epoch = trainer.num_training_batches
        last = -(-pl_module.total_iterations // per_epoch)
        return f"epoch {min(pl_module.iteration // per_epoch + 1, last)}/{last}"

    @staticmethod
    def fields(trainer: pl.Trainer) -> list[str]:
        """The scalars of the monitor's latest point; empty before the first."""
        monitor = next((c for c in trainer.callbacks if isinstance(c, Monitor)), None)
        if monitor is None or not monitor.latest:
            return []
        point = monitor.latest
        shown = [f"{name} {value:.2f}" for name, value in point.items() if name.startswith(("D(", "score/"))]
        losses = [f"{value:.2f}" for name, value in point.items() if re.fullmatch(r"loss/[^/]+", name)]
        return [*shown, f"loss {'/'.join(losses)}", f"{_brief(point['speed/images_per_second'])} img/s"]


def _brief(speed: float) -> str:
    return f"{speed / 1000:.1f}k" if speed >= 10_000 else f"{speed:,.0f}"
