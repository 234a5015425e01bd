"""Samples of the same latents over the training."""

from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from gan.core.checks import check_integer
from gan.core.files import naming
from gan.core.random import RandomRows, derive
from gan.data.base import Source
from gan.figures.drawing import add_caption, check_channels, grid
from gan.methods.base import Method
from gan.networks.sampling import sample
from gan.training.trackers import log_image


class SampleGrids(Callback):
    """Saves a grid of samples of fixed latents every n-th batch, at the start and at the end.

    The files are ``step=…_raw.png`` and, if there is an EMA, ``step=…_ema.png``. Loggers that take images get the
    same ones as ``samples/raw`` and ``samples/ema``, with the x axis of the curves. Raises UserError before the first
    step if the data cannot be shown as images.

    Args:
        folder: the folder of the PNG files.
        every_n_batches: batches between two grids, at least 1.
        count: images in a grid, at least 1.
        columns: images per row, at least 1.
        epochs: additional epochs after which to save a grid.
    """

    def __init__(
        self,
        folder: str,
        every_n_batches: int = 500,
        count: int = 64,
        columns: int = 8,
        epochs: Sequence[int] = (),
    ) -> None:
        check_integer("[1, inf)", every_n_batches=every_n_batches, count=count, columns=columns)
        self.folder, self.every_n_batches = Path(folder), every_n_batches
        self.count, self.columns, self.epochs = count, columns, frozenset(epochs)
        self.latest: dict[str, Path] = {}
        self._drawn_at: int | None = None

    def check(self, data: Source) -> None:
        """Raises UserError for data that cannot be shown as a grid."""
        check_channels(data.channels)

    def picture(self, images: Tensor, data: Source, method: Method) -> Tensor:
        """Samples (N, C, H, W) on the CPU as one image (3, H', W') in [0, 1]."""
        return grid(images, self.columns)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.check(trainer.datamodule)
        if pl_module.iteration == 0:
            self.draw(trainer, pl_module)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        epoch, rest = divmod(pl_module.iteration, trainer.num_training_batches)
        if pl_module.iteration % self.every_n_batches == 0 or (rest == 0 and epoch in self.epochs):
            self.draw(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._drawn_at != pl_module.iteration:
            self.draw(trainer, pl_module)

    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves one grid per generator."""
        self._drawn_at = pl_module.iteration
        if not trainer.is_global_zero:
            return
        from torchvision.utils import save_image

        self.folder.mkdir(parents=True, exist_ok=True)
        random = RandomRows(generator=torch.Generator().manual_seed(derive(pl_module.seed, "pictures")))
        z, labels = pl_module.latent(random, torch.full((self.count,), -1))
        for name, generator in pl_module.generators().items():
            picture = self.picture(
                sample(generator, z.to(pl_module.device), labels).cpu(), trainer.datamodule, pl_module
            )
            picture = add_caption(picture, f"iteration {pl_module.iteration:,} · {name}")
            self.latest[name] = self.folder / f"step={pl_module.iteration:07d}_{name}.png"
            with naming(self.latest[name]):
                save_image(picture, self.latest[name])
            for logger in trainer.loggers:
                log_image(logger, f"samples/{name}", picture, pl_module.iteration)
