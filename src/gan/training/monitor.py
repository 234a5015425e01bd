"""The curves: every scalar that a method reports, averaged over batches, over the number of batches."""

import logging
import time

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from gan.core.checks import check_integer

log = logging.getLogger(__name__)


class Monitor(Callback):
    """Every n-th batch writes the mean of each reported scalar since the last point.

    ``D(x)`` and ``D(G(z))`` are probabilities averaged over these batches, with D in training mode (dropout on) and
    before its step. Gradient norms are those of each player's latest step, before clipping. The x axis is the number
    of batches trained on.

    Between two points only references to scalars on the device are kept, without arithmetic or synchronization.
    They are part of the checkpoint, so that a resumed run writes the same points.

    Args:
        every_n_batches: batches between two points, at least 1.
    """

    def __init__(self, every_n_batches: int = 50) -> None:
        check_integer("[1, inf)", every_n_batches=every_n_batches)
        self.every_n_batches = every_n_batches
        self.window: dict[str, list[Tensor]] = {}
        self.latest: dict[str, float] = {}
        self._since = (0, 0.0)  # iteration and time at the last point
        self._published: dict[str, float] = {}  # of the checkpoint that the run resumes from

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = (pl_module.iteration, time.perf_counter())
        publish(trainer, self._published)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        for name, value in outputs.items():
            self.window.setdefault(name, []).append(value)
        on_time = pl_module.iteration % self.every_n_batches == 0
        # The last point of a run uses an incomplete window and keeps it, so that a longer run can complete it.
        if on_time or pl_module.iteration == pl_module.total_iterations:
            self.write_point(trainer, pl_module, len(batch))
        if on_time:
            self.window = {}

    def write_point(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch_size: int) -> None:
        """Averages the scalars since the last point over batches and processes, and writes them."""
        norms = {f"gradient_norm/{player}": norm for player, norm in pl_module.gradient_norms().items()}
        names = [*self.window, *norms]
        means = [torch.stack(values).mean() for values in self.window.values()]
        # The callback's only device synchronization between two points.
        values = trainer.strategy.reduce(torch.stack([*means, *norms.values()]), reduce_op="mean").tolist()
        now = (pl_module.iteration, time.perf_counter())
        images = (now[0] - self._since[0]) * batch_size * trainer.world_size
        self.latest = {
            **dict(zip(names, values, strict=True)),
            **{
                f"learning_rate/{player}": optimizer.param_groups[0]["lr"]
                for player, optimizer in zip(pl_module.player_names, trainer.optimizers, strict=True)
            },
            "speed/images_per_second": images / (now[1] - self._since[1]),
            "epoch": pl_module.iteration / trainer.num_training_batches,
        }
        self._since = now
        for logger in trainer.loggers:
            logger.log_metrics(self.latest, step=pl_module.iteration)
        publish(trainer, self.latest)
        if trainer.is_global_zero:
            numbers = "  ".join(f"{name} {value:.4g}" for name, value in self.latest.items())
            log.debug("iteration %d  %s", pl_module.iteration, numbers)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        # All processes share one file, so it contains the means over processes.
        checkpoint["monitor"] = {
            # what was published: a run that is resumed after its last batch has an objective all the same
            "published": {name: float(value) for name, value in trainer.callback_metrics.items()},
            "window": {n: trainer.strategy.reduce(torch.stack(v), reduce_op="mean") for n, v in self.window.items()},
        }

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        state = checkpoint.get("monitor", {"window": {}})
        device = trainer.strategy.root_device
        self.window = {name: list(values.to(device)) for name, values in state["window"].items()}
        self._published = state.get("published", {})


def scalars_of(players: tuple[str, ...]) -> list[str]:
    """The names of the scalars that the monitor adds to those of a method with these players."""
    return [
        *(f"{kind}/{player}" for kind in ("gradient_norm", "learning_rate") for player in players),
        "speed/images_per_second",
        "epoch",
    ]


def publish(trainer: pl.Trainer, numbers: dict[str, float]) -> None:
    """Stores the latest numbers in ``trainer.callback_metrics``, for early stopping and a sweep's objective.

    It avoids ``self.log``, which makes Lightning iterate over everything ever logged on every batch.
    """
    trainer.callback_metrics.update({name: torch.tensor(value) for name, value in numbers.items()})
