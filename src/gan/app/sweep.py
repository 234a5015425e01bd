"""The progress of a sweep before each of its jobs, and its ranking at the end. This module does not import torch."""

import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from gan.app import ranking

log = logging.getLogger(__name__)

SKIPPED = 1.0  # seconds: a shorter job has not trained


class SweepProgress(Callback):
    """Logs ``job 3 of 8, about 12 min left`` before each job.

    The time is known where jobs run one after the other, and their number where the sweep is over listed values.

    Attributes:
        folder: of the sweep in this process; None if there is none.
    """

    folder: ClassVar[Path | None] = None

    def __init__(self) -> None:
        self.jobs: int | None = None
        self.seconds: list[float] = []
        self.started = 0.0

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        SweepProgress.folder = Path(config.hydra.sweep.dir)
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
    if not str(config.hydra.sweeper._target_).endswith(BasicSweeper.__name__):
        return None
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task])
    return len(BasicSweeper.split_arguments(overrides, None)[0])


def readable(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


@contextmanager
def ranked() -> Iterator[None]:
    """Prints and writes the ranking of the sweep that ran in this block, also if some of its jobs failed."""
    try:
        yield
    except Exception:
        report()
        raise
    report()


def report() -> None:
    """Prints and writes the ranking of this process's sweep, if there is one and its jobs have an objective."""
    folder, SweepProgress.folder = SweepProgress.folder, None
    if folder is None or (found := ranking.rank(folder)) is None:
        return
    path = ranking.write(found, folder)
    print("\n".join([*ranking.lines(found, folder), f"  → {path}"]))
