"""Saves snapshots of a one-dimensional GAN, from which an animation can be made."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from gan.core.checks import check_integer
from gan.figures.snapshot1d import snapshot


class Snapshots(Callback):
    """Writes ``step=….npz`` with the densities, D and G every n-th batch, at the start and at the end.

    It saves arrays and not images, so that the animation can be redrawn; see :mod:`gan.figures.snapshot1d`. Raises
    UserError before the first step if the GAN is not one-dimensional.

    Args:
        folder: the folder of the files.
        every_n_batches: batches between two snapshots, at least 1.
        points: number of points on the x axis, at least 2.
    """

    def __init__(self, folder: str, every_n_batches: int = 100, points: int = 500) -> None:
        check_integer("[1, inf)", every_n_batches=every_n_batches)
        check_integer("[2, inf)", points=points)
        self.folder, self.every_n_batches, self.points = Path(folder), every_n_batches, points

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.keep(trainer, pl_module)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        last = pl_module.iteration == pl_module.total_iterations
        if last or pl_module.iteration % self.every_n_batches == 0:
            self.keep(trainer, pl_module)

    def keep(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes a snapshot of the current state, with the raw generator and not the EMA."""
        now = snapshot(pl_module, trainer.datamodule, pl_module.generator, self.points)
        if trainer.is_global_zero:
            now.save(self.folder / f"step={pl_module.iteration:07d}.npz")
