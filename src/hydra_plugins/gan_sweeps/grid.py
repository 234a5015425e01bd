"""``hydra/sweeper=grid``: Hydra's own sweeper, which continues a sweep in its folder and survives failed jobs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from gan.app.ranking import report
from gan.app.sweeps import check_sweep_folder
from gan.core.errors import Stopped, UserError


class Grid(BasicSweeper):
    """All combinations of the values on the command line, in a folder that holds no other sweep.

    A failed job ends neither the sweep nor a later batch of ``max_batch_size`` jobs. The sweep ends with its settings
    ranked by their objective.
    """

    def sweep(self, arguments: list[str]) -> Any:
        check_sweep_folder(self.config)
        self.launcher = survivors = Survivors(self.launcher)
        try:
            returns = super().sweep(arguments)
        except (KeyboardInterrupt, Stopped):
            folder = self.config.hydra.sweep.dir
            print(f"the sweep continues with the same command and hydra.sweep.dir={folder}", file=sys.stderr)
            raise
        report(Path(self.config.hydra.sweep.dir))
        if survivors.failed:
            failed = ", ".join(map(str, survivors.failed))
            raise UserError(f"{len(survivors.failed)} of {survivors.launched} jobs failed: {failed}.")
        return returns


class Survivors(Launcher):
    """A launcher that keeps back the results of failed jobs, whose exceptions would end the sweep.

    Args:
        launcher: starts the jobs.

    Attributes:
        launched: number of jobs so far.
        failed: numbers of those that failed.
    """

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        self.launched = 0
        self.failed: list[int] = []

    def setup(self, **options: Any) -> None:
        self.launcher.setup(**options)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        results = self.launcher.launch(job_overrides, initial_job_idx)
        self.launched += len(results)
        self.failed += [n for n, one in enumerate(results, initial_job_idx) if one.status != JobStatus.COMPLETED]
        return [one for one in results if one.status == JobStatus.COMPLETED]
