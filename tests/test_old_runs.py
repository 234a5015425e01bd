"""Runs of earlier versions, in their original folders: they can be resumed and evaluated."""

import shutil
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from gan.app import evaluate as evaluation
from gan.app.command_line import CONF, check, resumed
from gan.app.train import run
from gan.runs import checkpoint
from gan.runs.run import open_run

RUNS = sorted(path.parent for path in Path(__file__).parent.glob("runs_of_format_*/*/checkpoints"))


@pytest.fixture(params=RUNS, ids=lambda folder: folder.name)
def old(request, tmp_path):
    """A copy of the folder of an old run."""
    return shutil.copytree(request.param, tmp_path / "old")


def test_old_run_resumes_and_ends_as_planned(old, tmp_path, caplog):
    words = resumed([f"ckpt_path={old}/checkpoints/last.ckpt", f"output_dir={tmp_path / 'rest'}"])
    check(words, "train")
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", words)
    before = checkpoint.read(cfg.ckpt_path)
    with caplog.at_level("INFO"):
        run(cfg)
    assert "changed: " not in caplog.text
    after = checkpoint.read(tmp_path / "rest" / "checkpoints" / "last.ckpt")
    assert after["iteration"] == 2 * before["iteration"]
    assert all(state.isfinite().all() for state in after["state_dict"].values())
    moved = [not torch.equal(after["state_dict"][name], value) for name, value in before["state_dict"].items()]
    assert any(moved)


def test_old_run_is_evaluated_with_its_weights(old):
    saved = torch.load(old / "checkpoints" / "last.ckpt", weights_only=True)
    opened = open_run(old)
    state = opened.module.state_dict()
    assert len(state) == len(saved["state_dict"])
    assert all(torch.equal(state[name], value) for name, value in saved["state_dict"].items())
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        evaluation.run(compose("evaluate", [f"run={old}", "metrics=frechet", "features=pixels", "num_samples=50"]))
    assert (old / "metrics.json").is_file()
