"""One bar for the whole training, or a line now and then where nobody watches a terminal."""

import logging
import re
import sys

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm

from gan.training.monitor import Monitor

log = logging.getLogger(__name__)


class Progress(ProgressBar):
    """Epoch, share done, time left, D(x) and D(G(z)) or the scores, the losses and images per second.

    Without a terminal (a log file, a cluster) it writes a line at every tenth of the training.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bar: tqdm | None = None
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._enabled and trainer.is_global_zero and sys.stderr.isatty():
            self.bar = tqdm(
                total=pl_module.total_iterations,
                initial=pl_module.iteration,
                bar_format="{desc} {percentage:3.0f}% |{bar:16}| {elapsed} < {remaining}{postfix}",
                dynamic_ncols=True,
                file=sys.stderr,
            )
            self.bar.set_description_str(self.epoch(trainer, pl_module))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        done, total = pl_module.iteration, pl_module.total_iterations
        if self.bar is not None:
            if numbers := self.numbers(trainer, pl_module):
                self.bar.set_description_str(self.epoch(trainer, pl_module), refresh=False)
                self.bar.set_postfix_str(numbers, refresh=False)
            self.bar.update()
        elif self._enabled and trainer.is_global_zero and done * 10 // total > (done - 1) * 10 // total:
            numbers = self.numbers(trainer, pl_module, fresh=False)
            log.info("%s  %3d%%  %s", self.epoch(trainer, pl_module), done * 100 // total, numbers)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    @staticmethod
    def epoch(trainer: pl.Trainer, pl_module: pl.LightningModule) -> str:
        per_epoch = trainer.num_training_batches
        last = -(-pl_module.total_iterations // per_epoch)
        return f"epoch {min(pl_module.iteration // per_epoch + 1, last)}/{last}"

    @staticmethod
    def numbers(trainer: pl.Trainer, pl_module: pl.LightningModule, fresh: bool = True) -> str:
        """The monitor's latest point in words; with ``fresh`` only when it is of this very minibatch."""
        monitor = next((c for c in trainer.callbacks if isinstance(c, Monitor)), None)
        if monitor is None or not monitor.latest or (fresh and pl_module.iteration % monitor.every_n_batches):
            return ""
        point = monitor.latest
        shown = [f"{name} {value:.2f}" for name, value in point.items() if name.startswith(("D(", "score/"))]
        losses = [f"{value:.2f}" for name, value in point.items() if re.fullmatch(r"loss/[^/]+", name)]
        speed = f"{point['speed/images_per_second']:,.0f} img/s"
        return "  ".join([*shown, f"loss {' / '.join(losses)}", speed])
