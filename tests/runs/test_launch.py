"""Where a run takes its GPU from, and what it leaves to Slurm."""

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf
from pytorch_lightning.plugins.environments import SLURMEnvironment

from gan.runs.build import build
from gan.runs.launch import is_requeued, is_sweeping, job_number
from gan.runs.trainer import device_of_job, environments


@pytest.fixture
def as_job(monkeypatch):
    """Lets this process be the job of a sweep with this number."""

    def job(number, mode=RunMode.MULTIRUN):
        settings = OmegaConf.create({"hydra": {"mode": mode, "job": {"num": number}}})
        monkeypatch.setattr(HydraConfig, "initialized", lambda: True)
        monkeypatch.setattr(HydraConfig, "get", lambda: settings.hydra)

    return job


def test_jobs_take_the_gpus_in_turn(as_job, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    taken = []
    for number in range(5):
        as_job(number)
        taken.append(device_of_job({"devices": 1, "accelerator": "auto"}))
    assert taken == [[0], [1], [2], [0], [1]]
    assert device_of_job({"devices": 1, "accelerator": "cpu"}) == 1
    assert device_of_job({"devices": 2, "accelerator": "gpu"}) == 2
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device_of_job({"devices": 1, "accelerator": "gpu"}) == 1


def test_single_run_keeps_its_devices(monkeypatch, as_job):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert not is_sweeping()
    assert device_of_job({"devices": 1, "accelerator": "auto"}) == 1
    as_job(2, mode=RunMode.RUN)
    assert job_number() is None
    assert device_of_job({"devices": 1, "accelerator": "auto"}) == 1


def test_lightning_does_not_requeue_a_slurm_job(monkeypatch, configure):
    assert environments() == []
    slurm = {"JOB_ID": "7", "JOB_NAME": "train", "NTASKS": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}
    for name, value in slurm.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    trainer = build(configure("logger=none")).trainer
    environment = trainer._accelerator_connector.cluster_environment
    assert isinstance(environment, SLURMEnvironment)
    assert not environment.auto_requeue


@pytest.mark.parametrize(("count", "expected"), [(None, False), ("", False), ("0", False), ("2", True)])
def test_slurm_counts_the_starts_of_a_job(monkeypatch, count, expected):
    if count is None:
        monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
    else:
        monkeypatch.setenv("SLURM_RESTART_COUNT", count)
    assert is_requeued() == expected
