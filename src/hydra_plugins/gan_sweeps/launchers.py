"""``hydra/launcher=joblib``, ``submitit_local``, ``submitit_slurm``: other packages' launchers, made safe for training.

Each job gets its share of the processor, and a failed job is a failed job for the cluster too.
"""

import atexit
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from gan.core.errors import UserError, one_line

try:
    from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher
except ImportError:  # the extra is not installed
    JoblibLauncher = object
try:
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import LocalLauncher, SlurmLauncher
except ImportError:
    LocalLauncher = SlurmLauncher = object

THREADS = "OMP_NUM_THREADS"


class Joblib(JoblibLauncher):
    """Jobs in ``n_jobs`` processes of this machine; by default one for each GPU, without GPUs one for each core."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        wanted = self.joblib["n_jobs"]
        at_once = min(len(job_overrides), wanted if wanted > 0 else gpus() or cores())
        self.joblib["n_jobs"] = at_once
        set_threads(self.config, cores() // at_once)
        return super().launch(job_overrides, initial_job_idx)


class SubmititLocal(LocalLauncher):
    """A process of submitit for each job, all at once."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        set_threads(self.config, self.params["cpus_per_task"] or cores() // len(job_overrides))
        return _launched(super().launch, job_overrides, initial_job_idx)

    def __call__(self, *arguments: Any, **options: Any) -> JobReturn:
        return _failing(super().__call__(*arguments, **options))


class SubmititSlurm(SlurmLauncher):
    """A Slurm job for each job of the sweep."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        set_threads(self.config, self.params["cpus_per_task"])
        return _launched(super().launch, job_overrides, initial_job_idx)

    def __call__(self, *arguments: Any, **options: Any) -> JobReturn:
        return _failing(super().__call__(*arguments, **options))


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> int:
    """The number of GPUs; torch is imported only on a machine with NVIDIA's driver."""
    if shutil.which("nvidia-smi") is None:
        return 0
    import torch

    return torch.cuda.device_count()


def set_threads(config: Any, threads: int) -> None:
    """Sets the threads of each job, unless the user's environment does.

    Args:
        config: the sweep's configuration. Hydra composes that of each job from its overrides.
        threads: number of threads.
    """
    if THREADS not in os.environ:
        config.hydra.overrides.hydra.append(f"++hydra.job.env_set.{THREADS}='{max(1, threads)}'")


def _failing(result: JobReturn) -> JobReturn:
    """Lets the process of a failed job end with status 1, after submitit has written the result.

    submitit ends with status 0 whatever the job returned, and Slurm would call it COMPLETED.
    """
    if result.status != JobStatus.COMPLETED:
        atexit.register(os._exit, 1)
    return result


def _launched(launch: Any, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
    """The results of all jobs; prints the error of each failed one, whose own output is a file of submitit.

    Raises:
        UserError: a job's process was killed and left no result.
    """
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        results = launch(job_overrides, initial_job_idx)
        for number, result in enumerate(results, initial_job_idx):
            if result.status != JobStatus.COMPLETED:
                print(f"error: job {number}: {one_line(result._return_value)}", file=sys.stderr)
        return results
    except (FailedJobError, UncompletedJobError) as error:
        raise UserError(f"{one_line(error)[:300]}. The same command continues the sweep.") from error
