"""Metrics of the samples during training."""

import logging
from collections.abc import Mapping

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.evaluation.evaluate import evaluate
from gan.evaluation.reference import ReferenceImages, load_reference
from gan.methods.sampler import Sampler
from gan.metrics.base import Metric
from gan.metrics.features.base import FeatureExtractor
from gan.training.monitor import publish

log = logging.getLogger(__name__)


class ScoreListener(Callback):
    """Base class of callbacks that act on validation scores."""

    def on_scores(self, trainer: pl.Trainer, pl_module: pl.LightningModule, scores: "Scores") -> None:
        """Called after each evaluation, in the process that computes it; ``scores.latest`` are the new scores."""


class Scores(Callback):
    """Evaluates the run's metrics of each generator against validation images, every n-th epoch and at the end.

    The curves are ``valid/METRIC/GENERATOR``, including the floor as a generator, with the x axis of the other curves.
    The test images are not used. The callback has its own random numbers and does not affect training.

    Args:
        metrics: the metrics; None to compute nothing.
        features: the feature extractor of the metrics.
        every_n_epochs: epochs between two evaluations, at least 1.
        num_samples: samples per generator, at least 2; at most the number of training images.
        seed: seed of the latents.
    """

    def __init__(
        self,
        metrics: Mapping[str, Metric] | None,
        features: FeatureExtractor,
        every_n_epochs: int = 5,
        num_samples: int = 2000,
        seed: int = 0,
    ) -> None:
        check_integer("[1, inf)", every_n_epochs=every_n_epochs)
        check_integer("[2, inf)", num_samples=num_samples)
        self.metrics, self.features = list((metrics or {}).values()), features
        self.every_n_epochs, self.num_samples, self.seed = every_n_epochs, num_samples, seed
        self.reference: ReferenceImages | None = None
        self.better: dict[str, str | None] = {}  # the direction of a sweep's objective
        self.latest: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.metrics and trainer.is_global_zero:
            self.reference = load_reference(
                trainer.datamodule, self.features, trainer.strategy.root_device, self.metrics, "valid"
            )

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        epoch, rest = divmod(pl_module.iteration, trainer.num_training_batches)
        on_time = rest == 0 and epoch % self.every_n_epochs == 0
        if self.reference is not None and (on_time or pl_module.iteration == pl_module.total_iterations):
            self.score(trainer, pl_module)

    def score(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evaluates every generator and writes the scores."""
        sampler = Sampler(pl_module)
        count = min(self.num_samples, len(trainer.datamodule.splits["train"]))
        try:
            rows, _ = evaluate(sampler, self.reference, self.metrics, sampler.names, count, self.seed)
        except UserError as error:  # this does not stop the training
            log.warning("iteration %s: not scored: %s", f"{pl_module.iteration:,}", error)
            return
        self.better = {f"valid/{row.measure.name}/{row.generator}": row.better for row in rows}
        self.latest = {f"valid/{row.measure.name}/{row.generator}": row.measure.value for row in rows}
        for logger in trainer.loggers:
            logger.log_metrics(self.latest, step=pl_module.iteration)
        publish(trainer, self.latest)
        for callback in trainer.callbacks:
            if isinstance(callback, ScoreListener):
                callback.on_scores(trainer, pl_module, self)
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in self.latest.items())
        log.debug("iteration %d  %s", pl_module.iteration, numbers)
