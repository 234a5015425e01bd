"""When checkpoints are written, and how Ctrl-C and SIGTERM stop a run."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import callbacks

from gan.core.checks import check_integer, check_number
from gan.core.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)
AGREE_EVERY = 10  # with several processes: batches between two decisions on whether to save or stop


class Checkpoint(callbacks.Checkpoint):
    """Writes ``last.ckpt`` after the first iteration, at intervals, at the end, on Ctrl-C and on SIGTERM.

    Lightning's ModelCheckpoint counts optimizer steps, of which D and G take different numbers, and its time interval
    does not work with manual optimization. This callback counts batches. It handles a signal between two batches,
    when the state is consistent.

    Args:
        folder: the folder of the checkpoints.
        every_n_minutes: minutes between two writes of ``last.ckpt``, or None.
        every_n_batches: batches between two writes of ``last.ckpt``, or None.
        keep_every_n_epochs: epochs between two permanent checkpoints ``epoch=….ckpt``, or None.
    """

    def __init__(
        self,
        folder: str,
        every_n_minutes: float | None = 1.0,
        every_n_batches: int | None = None,
        keep_every_n_epochs: int | None = None,
    ) -> None:
        check_number("(0, inf)", or_none=True, every_n_minutes=every_n_minutes)
        intervals = {"every_n_batches": every_n_batches, "keep_every_n_epochs": keep_every_n_epochs}
        check_integer("[1, inf)", or_none=True, **intervals)
        self.folder = Path(folder)
        self.every_n_minutes, self.every_n_batches = every_n_minutes, every_n_batches
        self.keep_every_n_epochs = keep_every_n_epochs
        self.last_saved: Path | None = None
        self._saved_at = 0.0
        self._signal: int | None = None
        self._speaks = True
        self._previous_handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._saved_at = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            self._speaks = trainer.is_global_zero
            self._previous_handlers = {s: signal.signal(s, self._note_signal) for s in SIGNALS}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        iteration = pl_module.iteration
        epochs, into_epoch = divmod(iteration, trainer.num_training_batches)
        if self.keep_every_n_epochs and into_epoch == 0 and epochs % self.keep_every_n_epochs == 0:
            self.save(trainer, f"epoch={epochs:04d}.ckpt")
        # The first one at once, so that the run can always be resumed.
        due = self.last_saved is None or (bool(self.every_n_batches) and iteration % self.every_n_batches == 0)
        if trainer.world_size == 1 or iteration % AGREE_EVERY == 0:
            due = due or self._agreed(trainer, self._time_is_up())
            if self._agreed(trainer, self._signal is not None):
                self.save(trainer, "last.ckpt")
                raise Stopped(
                    f"stopped after iteration {iteration} with everything saved",
                    exit_code=128 + (self._signal or signal.SIGINT),
                    checkpoint=self.last_saved,
                )
        if due:
            self.save(trainer, "last.ckpt")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restore_handlers()
        self.save(trainer, "last.ckpt")

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._restore_handlers()

    def save(self, trainer: pl.Trainer, name: str) -> None:
        """Writes a checkpoint; all processes must call it, and one of them writes."""
        trainer.save_checkpoint(self.folder / name)
        self.last_saved, self._saved_at = self.folder / name, time.monotonic()

    def _time_is_up(self) -> bool:
        return self.every_n_minutes is not None and time.monotonic() - self._saved_at >= 60 * self.every_n_minutes

    @staticmethod
    def _agreed(trainer: pl.Trainer, mine: bool) -> bool:
        """Whether any process requests it; all processes must save together."""
        return trainer.strategy.reduce_boolean_decision(mine, all=False) if trainer.world_size > 1 else mine

    def _note_signal(self, number: int, frame) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt  # second signal: stops at once, without a checkpoint
        self._signal = number
        if self._speaks:  # os.write and not print, because the signal may have interrupted a print
            os.write(2, b"\nstopping after this batch (again to stop without saving)\n")

    def _restore_handlers(self) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers = {}
