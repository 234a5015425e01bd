"""The progress of a sweep, logged before each of its jobs. This module does not import torch."""

import logging
import statistics
import time
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

log = logging.getLogger(__name__)

SKIPPED = 1.0  # seconds: a shorter job has not trained


class SweepProgress(Callback):
    """Logs ``job 3 of 8, about 12 min left`` before each job.

    The time is known where jobs run one after the other, and their number where the sweep is over listed values.
    """

    def __init__(self) -> None:
        self.jobs: int | None = None
        self.seconds: list[float] = []
        self.started = 0.0

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.jobs = count_jobs(config)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.started = time.monotonic()
        if (number := OmegaConf.select(config, "hydra.job.num", throw_on_missing=False)) is None:
            return  # a single run
        of = f" of {self.jobs}" if self.jobs else ""
        left = self.time_left(self.jobs - number) if self.jobs else ""
        log.info("job %d%s%s", number + 1, of, left)

    def on_job_end(self, config: DictConfig, **kwargs: Any) -> None:
        self.seconds.append(time.monotonic() - self.started)

    def time_left(self, jobs: int) -> str:
        """`` , about 12 min left`` for this number of jobs; the empty string before one has trained."""
        trained = [seconds for seconds in self.seconds if seconds > SKIPPED]
        return f", about {readable(jobs * statistics.fmean(trained))} left" if trained else ""


def count_jobs(config: DictConfig) -> int | None:
    """The number of jobs of a sweep over listed values; None for another sweeper."""
    split = getattr(get_class(config.hydra.sweeper._target_), "split_arguments", None)  # of Hydra's own sweeper
    if split is None:
        return None
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task])
    return len(split(overrides, max_batch_size=None)[0])


def readable(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
