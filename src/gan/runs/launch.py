"""How this run was started: alone, as a job of a sweep, or again by Slurm. This module does not import torch."""

import os

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode


def is_sweeping() -> bool:
    """Whether this is a job of ``-m``."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def job_number() -> int | None:
    """The number of this job in its sweep, from 0; None outside a sweep."""
    return HydraConfig.get().job.num if is_sweeping() else None


def is_requeued() -> bool:
    """Whether Slurm has started this job before, and stopped it for another one or for maintenance."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0) > 0
