"""Stops a run at NaN or infinite values, before they reach a checkpoint."""

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from gan.core.checks import check_integer
from gan.core.errors import UserError


class Guard(Callback):
    """Raises an error at the first NaN or infinite quantity, with its name and batch.

    It checks every n-th batch and before each checkpoint. No checkpoint is written after the first bad value, so the
    last one on disk is good.

    Args:
        every_n_batches: batches between two checks, at least 1.
    """

    def __init__(self, every_n_batches: int = 50) -> None:
        check_integer("[1, inf)", every_n_batches=every_n_batches)
        self.every_n_batches = every_n_batches
        self.unchecked: list[tuple[int, str, Tensor]] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.unchecked += [(pl_module.iteration, name, value) for name, value in outputs.items()]
        if pl_module.iteration % self.every_n_batches == 0:
            self.check(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.check(trainer)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        self.check(trainer)
        # A finite loss can have an infinite gradient, so the weights are checked too.
        for name, parameter in pl_module.named_parameters():
            if not parameter.isfinite().all():
                raise self.error(trainer, f"the weight {name}", "NaN or infinite", pl_module.iteration)

    def check(self, trainer: pl.Trainer) -> None:
        """Checks all scalars since the last check, with one device synchronization."""
        if not self.unchecked:
            return
        values = torch.stack([value for _, _, value in self.unchecked])
        bad = (~values.isfinite()).nonzero().flatten().tolist()
        # All processes must stop together, even those with finite values.
        several = trainer.world_size > 1
        if trainer.strategy.reduce_boolean_decision(bool(bad), all=False) if several else bad:
            iteration, name, value = self.unchecked[bad[0] if bad else -1]
            raise self.error(trainer, name, str(value.item()) if bad else "NaN or infinite in a process", iteration)
        self.unchecked = []

    @staticmethod
    def error(trainer: pl.Trainer, name: str, value: str, iteration: int) -> UserError:
        """The error that stops the run: the quantity, its iteration and the last good checkpoint."""
        saved = [callback.last_saved for callback in trainer.checkpoint_callbacks if callback.last_saved]
        kept = f"The last good checkpoint is {saved[0]}." if saved else "No checkpoint had been written yet."
        ahead = getattr(trainer.lightning_module, "lookahead", None)
        rates = "optim.generator.lr, optim.discriminator.lr" + (", above all lookahead.rate" if ahead else "")
        return UserError(
            f"{name} became {value} at iteration {iteration}: stopped. {kept} optim.gradient_clip=1 usually helps, "
            f"in a new run lower rates ({rates}) too."
        )
