"""The other processes of a training on several devices, when it is one job of a sweep."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytorch_lightning as pl
import torch.distributed as dist
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from gan.app.search_path import CONF, recorded
from gan.runs.launch import is_sweeping

SECONDS_TO_END = 60


@contextlib.contextmanager
def processes_of_job(cfg: DictConfig, trainer: pl.Trainer) -> Iterator[None]:
    """Lets Lightning start the other processes of a sweep's job as single runs, and ends them with the job.

    Lightning repeats this process's command line, which would be the whole sweep, or the worker of a launcher.

    Args:
        cfg: the job's configuration.
        trainer: the job's Trainer.
    """
    if trainer.world_size == 1 or not is_sweeping():
        yield
        return
    main = sys.modules["__main__"]
    before = sys.argv, main.__spec__
    script = sys.argv[0] if main.__spec__ is None else str(CONF.parent / "train.py")
    sys.argv, main.__spec__ = [script, *single_run(cfg)], None
    try:
        yield
    finally:
        sys.argv, main.__spec__ = before
        end_processes(trainer)


def single_run(cfg: DictConfig) -> list[str]:
    """The command line that runs a job of a sweep alone; Lightning adds the folder."""
    options, search_path = recorded(Path(cfg.output_dir))
    quoted = str(cfg.ckpt_path).replace("\\", "\\\\").replace("'", "\\'")
    resume = [f"ckpt_path='{quoted}'"] if cfg.ckpt_path else []
    return [*search_path, *HydraConfig.get().overrides.task, *resume, *options]


def end_processes(trainer: pl.Trainer) -> None:
    """Waits for the other processes of a training that has ended here, and kills those that do not end."""
    processes = getattr(trainer.strategy.launcher, "procs", [])
    started = list(processes)
    # A thread of Lightning watches this list, and kills this process, the sweep, if one of them has failed.
    processes.clear()
    for process in started:
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if dist.is_initialized():
        dist.destroy_process_group()
