"""How a Lightning run takes part in a contest: ``+callbacks.turns._target_=benchmarks.callback.TakeTurns``."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from benchmarks.turns import Turns


class TakeTurns(Callback):
    """Plays when it is this process's turn; to be the last of the callbacks, so that a turn has the work of all."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.turns = Turns.from_environment(trainer.strategy.root_device.type)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.turns.done()
