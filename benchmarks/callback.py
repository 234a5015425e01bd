"""Callbacks for ``+callbacks.NAME._target_=benchmarks.callback.…``: taking turns in a contest, and peak memory."""

import json
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from benchmarks.turns import Turns


class TakeTurns(Callback):
    """Trains only in this process's turns; must be the last callback, so that a turn includes the work of all."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.turns = Turns.from_environment(trainer.strategy.root_device.type)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.turns.done()


class PeakMemory(Callback):
    """Writes ``peak_memory.json`` into the run's folder: the peak memory of tensors on the GPU."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.strategy.root_device.type == "cuda" and trainer.is_global_zero:
            path = Path(trainer.default_root_dir) / "peak_memory.json"
            path.write_text(json.dumps({"bytes": torch.cuda.max_memory_allocated()}) + "\n")
