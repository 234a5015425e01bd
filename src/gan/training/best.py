"""What follows from the scores during training: stopping early, and keeping the best checkpoint."""

import logging
import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning import callbacks

from gan.core.checks import check_integer, check_number
from gan.core.errors import UserError, did_you_mean
from gan.evaluation.records import FLOOR
from gan.training.scores import ScoreListener, Scores

log = logging.getLogger(__name__)


class BestScore:
    """The best value so far of one score.

    Args:
        name: ``valid/SCORE/GENERATOR``; None for the first metric that ranks generators, of the EMA if there is one.
        key: the configuration key of the name, for messages.
        least: the least improvement that counts, in the score's unit.
    """

    def __init__(self, name: str | None, key: str, least: float = 0.0) -> None:
        self.name, self.key, self.least = name, key, least
        self.value: float | None = None
        self.iteration = 0

    def __str__(self) -> str:
        """The end of a sentence: ``NAME has not improved on 9.41 (iteration 420)``."""
        if self.value is None:
            return f"{self.name} was not finite"
        return f"{self.name} has not improved on {self.value:.4g} (iteration {self.iteration:,})"

    def check(self, trainer: pl.Trainer) -> None:
        """Raises UserError before the first step if the run computes no score that ranks generators."""
        owner = self.key.rpartition(".")[0]
        scores = [callback for callback in trainer.callbacks if isinstance(callback, Scores)]
        if not any(metric.better for callback in scores for metric in callback.metrics):
            raise UserError(
                f"{owner} needs the callback scores with a metric that ranks generators; give metrics=frechet and "
                f"callbacks=[default,{owner.rpartition('.')[2]}]."
            )

    def improved_by(self, values: Mapping[str, float], better: Mapping[str, str | None], iteration: int) -> bool:
        """Takes the scores of an iteration; returns whether they are better than all before.

        Raises:
            UserError: there is no score of that name, or it does not rank generators.
        """
        ranked = [name for name, direction in better.items() if direction and not name.endswith(f"/{FLOOR}")]
        if self.name is None:
            self.name = [name for name in ranked if name.rpartition("/")[0] == ranked[0].rpartition("/")[0]][-1]
        if self.name not in ranked:
            raise UserError(f"{self.key} must be one of {', '.join(ranked)}.{did_you_mean(self.name, ranked)}")
        value, sign = values[self.name], -1 if better[self.name] == "higher" else 1
        if not math.isfinite(value) or (self.value is not None and sign * (self.value - value) <= self.least):
            return False
        self.value, self.iteration = value, iteration
        return True

    def state(self) -> dict:
        """The state for a checkpoint."""
        return {"name": self.name, "value": self.value, "iteration": self.iteration}

    def restore(self, state: Mapping) -> None:
        """Restores :meth:`state`, unless it is that of another score."""
        if self.name in (None, state["name"]):
            self.name, self.value, self.iteration = state["name"], state["value"], state["iteration"]


class EarlyStopping(ScoreListener):
    """Stops the training when a validation score has not improved for some evaluations.

    Lightning's callback of this name counts epochs, but scores are computed every n-th epoch; and a run that is resumed
    at the end of an epoch would miss its check. Here the counter is part of the checkpoint.

    Args:
        score: ``valid/SCORE/GENERATOR``; None for the first metric that ranks generators, of the EMA if there is one.
        patience: evaluations without an improvement after which the training stops, at least 1.
        least: the least improvement that counts, in the score's unit, at least 0.

    Attributes:
        reason: why the training stopped; None if it did not.
    """

    def __init__(self, score: str | None = None, patience: int = 5, least: float = 0.0) -> None:
        check_integer("[1, inf)", patience=patience)
        check_number("[0, inf)", least=least)
        self.patience = patience
        self.best = BestScore(score, "callbacks.early_stopping.score", least)
        self.waited = 0
        self.reason: str | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.best.check(trainer)
        self.decide(trainer, pl_module)  # for a run that is resumed after it has stopped

    def on_scores(self, trainer: pl.Trainer, pl_module: pl.LightningModule, scores: Scores) -> None:
        improved = self.best.improved_by(scores.latest, scores.better, pl_module.iteration)
        self.waited = 0 if improved else self.waited + 1

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if pl_module.iteration % trainer.num_training_batches == 0:
            self.decide(trainer, pl_module)

    def decide(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stops all processes if the one that computes the scores has waited long enough."""
        over = self.waited >= self.patience and pl_module.iteration < pl_module.total_iterations
        if trainer.strategy.reduce_boolean_decision(over, all=False) if trainer.world_size > 1 else over:
            trainer.should_stop = True
            place = f"iteration {pl_module.iteration:,} of {pl_module.total_iterations:,}"
            self.reason = f"stopped early after {place}: {self.best} in {self.waited} evaluations"

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        checkpoint["early_stopping"] = {"best": self.best.state(), "waited": self.waited}

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        if state := checkpoint.get("early_stopping"):
            self.best.restore(state["best"])
            self.waited = state["waited"]


class BestCheckpoint(callbacks.Checkpoint, ScoreListener):
    """Keeps the checkpoint with the best validation score: ``iteration=….ckpt``, and the link ``best.ckpt`` to it.

    These are the files of ``evaluate.py select=best``, which chooses after the training. A resumed run takes the best
    checkpoint of the run before along.

    Args:
        folder: the folder of the checkpoints.
        score: ``valid/SCORE/GENERATOR``; None for the first metric that ranks generators, of the EMA if there is one.
    """

    def __init__(self, folder: str, score: str | None = None) -> None:
        self.folder = Path(folder)
        self.best = BestScore(score, "callbacks.best_checkpoint.score")
        self.last_saved: Path | None = None
        self.due = False
        self.outdated = self.path

    @property
    def path(self) -> Path:
        """The file of the best iteration so far."""
        return self.folder / f"iteration={self.best.iteration:07d}.ckpt"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.best.check(trainer)
        if self.best.value is not None and trainer.is_global_zero and not (self.folder / "best.ckpt").exists():
            self.take_along(Path(str(trainer.ckpt_path)).with_name(self.path.name))

    def take_along(self, file: Path) -> None:
        """Copies the best checkpoint of the run that is resumed.

        If that run has replaced it since, then by a better one, which the resumed run will find too.
        """
        if file.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, self.path)
            self.link()
        else:
            log.warning("the best checkpoint so far, %s, is gone: the next evaluation counts as the first", file)
            self.best.value = None

    def on_scores(self, trainer: pl.Trainer, pl_module: pl.LightningModule, scores: Scores) -> None:
        before = self.path
        self.due = self.best.improved_by(scores.latest, scores.better, pl_module.iteration)
        if self.due:
            self.outdated = before

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        iteration = pl_module.iteration
        if iteration % trainer.num_training_batches and iteration != pl_module.total_iterations:
            return  # no scores are computed here
        several = trainer.world_size > 1
        if trainer.strategy.reduce_boolean_decision(self.due, all=False) if several else self.due:
            trainer.save_checkpoint(self.folder / f"iteration={iteration:07d}.ckpt")
            if trainer.is_global_zero:
                self.link()
                if self.outdated != self.path:
                    self.outdated.unlink(missing_ok=True)
            self.due = False

    def link(self) -> None:
        """Points ``best.ckpt`` to the best file."""
        self.last_saved = self.folder / "best.ckpt"
        fresh = self.folder / ".best.ckpt"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.path.name)  # relative: the folder may move
        fresh.replace(self.last_saved)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        checkpoint["best_checkpoint"] = self.best.state()

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        if state := checkpoint.get("best_checkpoint"):
            self.best.restore(state)
