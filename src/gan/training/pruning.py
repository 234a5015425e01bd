"""A run as a trial of a search: reports its score to the study, and stops where the study's pruner says so."""

import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from gan.core.errors import UserError
from gan.core.files import write_whole
from gan.runs import outcome
from gan.search.study import PRUNED
from gan.training.scores import Scores

if TYPE_CHECKING:
    from optuna.trial import Trial

log = logging.getLogger(__name__)

DIRECTIONS = {"lower": "minimize", "higher": "maximize"}


class Pruning(Callback):
    """Reports each new value of a score on validation images, and ends the training of a pruned trial.

    A pruned run ends like a complete one, with a checkpoint, and ``pruned.json`` in its folder says where it ended.

    Args:
        trial: the running trial of this job.
        score: the score, ``valid/METRIC/GENERATOR``.
        folder: the run's folder.
    """

    def __init__(self, trial: "Trial", score: str, folder: str | Path) -> None:
        self.trial, self.score, self.folder = trial, score, Path(folder)
        self.pruned = PRUNED in trial.user_attrs  # by a job of a killed search, for whose end this job has waited
        self._seen: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        from optuna.pruners import NopPruner

        if trainer.world_size > 1 and not isinstance(self.trial.study.pruner, NopPruner):
            raise UserError("hydra.sweeper.pruner: only jobs of one process are pruned; give trainer.devices=1.")

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        scores = next((callback for callback in trainer.callbacks if isinstance(callback, Scores)), None)
        if scores is None or scores.latest is self._seen or self.score not in scores.latest:
            return
        self._seen = scores.latest
        self.check_direction(scores.better.get(self.score))
        is_last = pl_module.iteration == pl_module.total_iterations
        if self.report(pl_module.iteration, scores.latest[self.score]) and not is_last:
            self.pruned = trainer.should_stop = True

    def report(self, iteration: int, value: float) -> bool:
        """Stores a score in the study; returns whether the trial is to be pruned."""
        with warnings.catch_warnings():  # a resumed run repeats the scores after its checkpoint
            warnings.filterwarnings("ignore", message="The reported value is ignored")
            self.trial.report(value, step=iteration)
        return self.trial.should_prune()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.pruned:
            return
        record = {"trial": self.trial.number, "iteration": pl_module.iteration, "score": self.score}
        with write_whole(self.folder / outcome.PRUNED) as unfinished:
            unfinished.write_text(json.dumps(record | {"value": self._seen[self.score]}) + "\n", encoding="utf-8")
        self.trial.set_user_attr(
            PRUNED, f"iteration {pl_module.iteration:,}, {self.score} {self._seen[self.score]:.4g}"
        )
        log.info("pruned by the search at %s", self.trial.user_attrs[PRUNED])

    def check_direction(self, better: str | None) -> None:
        """Raises UserError if the search prefers the worse scores."""
        searched = self.trial.study.direction.name.lower()
        if better is not None and DIRECTIONS[better] != searched:
            raise UserError(
                f"hydra.sweeper.direction={searched}: a {better} {self.score} is better; give {DIRECTIONS[better]}."
            )
