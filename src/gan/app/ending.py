"""Trainings that end before their last batch: by a time limit, or because a callback stopped them."""

import logging

from omegaconf import DictConfig

from gan.core.errors import Stopped, UserError
from gan.runs import outcome
from gan.runs.build import Experiment
from gan.runs.launch import is_sweeping
from gan.runs.time_limit import TimeLimit
from gan.training import Checkpoint

log = logging.getLogger(__name__)

TIMEOUT = 124  # exit code of a run that trainer.max_time stopped, as of the command timeout


def check_time(cfg: DictConfig, experiment: Experiment) -> None:
    """Raises Stopped if ``trainer.max_time`` ended the training, or UserError in a sweep, whose other jobs run on."""
    module, trainer = experiment.module, experiment.trainer
    limits = [callback for callback in trainer.callbacks if isinstance(callback, TimeLimit)]
    stopped_early = any(getattr(callback, "reason", None) for callback in trainer.callbacks)
    finished = stopped_early or module.iteration >= module.total_iterations
    if finished or not any(limit.is_reached for limit in limits):
        return
    if trainer.is_global_zero:
        outcome.write(cfg.output_dir, None, finished=False)
    saved = [callback.last_saved for callback in trainer.callbacks if isinstance(callback, Checkpoint)]
    stopped = f"stopped after iteration {module.iteration} by trainer.max_time"
    if not saved:
        raise UserError(f"{stopped} without a checkpoint: this run has no callbacks.checkpoint.")
    if is_sweeping():
        raise UserError(f"{stopped} with everything saved in {saved[0]}; the same sweep, started again, resumes it.")
    raise Stopped(f"{stopped} with everything saved", TIMEOUT, saved[0])


def report_early_stop(experiment: Experiment) -> None:
    """Logs why a callback stopped the training, as the last line of the run."""
    for callback in experiment.trainer.callbacks:
        if experiment.trainer.is_global_zero and (reason := getattr(callback, "reason", None)):
            log.info("%s", reason)
