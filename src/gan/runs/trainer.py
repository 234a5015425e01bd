"""Builds Lightning's Trainer from its part of the configuration."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.plugins.environments import SLURMEnvironment

from gan.core.checks import check_integer, check_number
from gan.core.errors import UserError
from gan.runs.checkpoint import AtomicCheckpointIO
from gan.runs.identity import REASON
from gan.runs.instantiate import explain, parts
from gan.runs.launch import job_number
from gan.runs.processes import DDP, Processes
from gan.runs.time_limit import TimeLimit

#: arguments of the Trainer that another key of this project replaces
ELSEWHERE = {
    "gradient_clip_val": "optim.gradient_clip",
    "accumulate_grad_batches": "data.batch_size",
    "overfit_batches": "trainer.limit_train_batches",
    "callbacks": "callbacks=… or callbacks.NAME.KEY",
    "logger": "logger=…",
    "enable_progress_bar": "~callbacks.progress",
    "enable_checkpointing": "~callbacks.checkpoint",
    "log_every_n_steps": "callbacks.monitor.every_n_batches",
    "default_root_dir": "output_dir",
}


def build_trainer(cfg: DictConfig) -> pl.Trainer:
    """Lightning's Trainer without limits: the module itself ends the run at its last batch."""
    arguments = OmegaConf.to_container(cfg.trainer, resolve=True)
    for name in ("max_epochs", "max_steps"):
        if arguments.get(name) != -1:
            explain("trainer", cfg.trainer, check_integer, "[1, inf)", or_none=True, **{name: arguments.get(name)})
    explain("trainer", cfg.trainer, check_number, "[0, inf)", limit_train_batches=cfg.trainer.limit_train_batches)
    if not isinstance(arguments.pop("capture", False), bool):  # used by the module
        raise UserError(f"trainer.capture={cfg.trainer.capture}: choose true or false.")
    arguments.pop(REASON, None)
    if arguments.get("accelerator") in ("gpu", "cuda") and not torch.accelerator.is_available():
        raise UserError(
            "trainer.accelerator=gpu: torch finds no GPU on this machine; take trainer=cpu or trainer=auto."
        )
    if taken := [key for key in arguments if key in ELSEWHERE]:
        raise UserError(f"trainer.{taken[0]} is not for the Trainer here; set {ELSEWHERE[taken[0]]}.")
    if arguments.get("strategy") in ("auto", *DDP) and _several(arguments):
        arguments["strategy"] = Processes()
    arguments["devices"] = device_of_job(arguments)
    callbacks = list(parts(cfg, "callbacks").values())
    if (limit := arguments.pop("max_time", None)) is not None:
        callbacks.append(TimeLimit(limit))
    loggers = list(parts(cfg, "logger").values())
    arguments |= {
        "callbacks": callbacks,
        "logger": loggers or False,
        "enable_checkpointing": any(isinstance(c, pl.callbacks.Checkpoint) for c in callbacks),
        "enable_progress_bar": any(isinstance(c, pl.callbacks.ProgressBar) for c in callbacks),
        "plugins": [AtomicCheckpointIO(), *environments()],
        "default_root_dir": cfg.output_dir,
        # The loader shards the batches itself; Lightning's sampler would reorder them.
        "use_distributed_sampler": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "max_epochs": -1,
        "max_steps": -1,
        "log_every_n_steps": 0,  # the monitor logs, over the number of batches
    }
    trainer = explain("trainer", cfg.trainer, pl.Trainer, **arguments)
    trainer.fit_loop.epoch_loop.max_steps = -1  # fast_dev_run=3 sets 3 optimizer steps, which are fewer batches
    return trainer


def device_of_job(arguments: Mapping[str, Any]) -> Any:
    """The Trainer's ``devices``; for a job of a sweep on one of several GPUs the number of its GPU, round robin."""
    devices, job = arguments.get("devices", 1), job_number()
    uses_gpu = arguments.get("accelerator", "auto") in ("auto", "gpu", "cuda")
    if job is None or devices not in (1, "1") or not uses_gpu or torch.cuda.device_count() < 2:
        return devices
    return [job % torch.cuda.device_count()]


def environments() -> list[SLURMEnvironment]:
    """Lightning's plugin for a Slurm job, which would also requeue the job itself; Slurm or submitit does that."""
    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []


def _several(arguments: dict[str, Any]) -> bool:
    """Whether the Trainer's arguments request more than one process."""
    devices = arguments.get("devices", 1)
    if devices in ("auto", -1, "-1"):
        return arguments.get("accelerator") != "cpu" and torch.cuda.device_count() > 1
    listed = str(devices).strip("[]").split(",")
    return len(listed) > 1 or (isinstance(devices, int) and devices > 1) or arguments.get("num_nodes", 1) > 1
