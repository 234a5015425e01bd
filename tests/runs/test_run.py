"""Opening finished runs: the same weights and samples, and clear errors."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gan.core.errors import UserError
from gan.runs.folder import RunFolder, find_checkpoint, runs_in
from gan.runs.precision import record_settings
from gan.runs.run import open_run, pick_device

SMALL = ["trainer.max_steps=12", "logger=none", "data.batch_size=64"]


@pytest.fixture
def finished(configure, run_training):
    cfg = configure(*SMALL)
    return run_training(cfg), cfg


def test_opened_run_has_the_trained_weights(finished):
    game, cfg = finished
    run = open_run(cfg.output_dir)
    assert run.module.iteration == 12
    for name, value in game.module.state_dict().items():
        assert torch.equal(value, run.module.state_dict()[name]), name
    z = run.sampler.latents(5, seed=3)[0]
    assert torch.equal(z, run.sampler.latents(5, seed=3)[0])
    assert not torch.equal(z, run.sampler.latents(5, seed=4)[0])
    assert torch.equal(run.sampler.sample("ema", z), game.module.generator_ema.eval()(z))
    assert not torch.equal(run.sampler.sample("ema", z), run.sampler.sample("raw", z))


def test_printed_run_names_its_folder_and_iteration(finished, tmp_path, monkeypatch):
    _, cfg = finished
    monkeypatch.setattr("gan.runs.build.module", lambda *_: pytest.fail("built networks to print them"))
    assert repr(open_run(cfg.output_dir)) == f"Run('{tmp_path / 'run'}', iteration 12)"


def test_run_folder_can_be_moved(finished, tmp_path):
    _, cfg = finished
    shutil.move(cfg.output_dir, tmp_path / "elsewhere")
    run = open_run(tmp_path / "elsewhere")
    assert len(run.load_data().splits["train"]) == 1397


def test_sampling_in_parts_equals_sampling_at_once(finished, monkeypatch):
    run = open_run(finished[1].output_dir)
    z = run.sampler.latents(7, seed=0)[0]
    whole = run.sampler.sample("raw", z)
    monkeypatch.setattr("gan.methods.sampler.BATCH", 3)
    assert torch.allclose(run.sampler.sample("raw", z), whole, atol=1e-6)


def test_missing_runs_checkpoints_and_generators_are_reported(finished, tmp_path):
    folder = finished[1].output_dir
    for arguments, message in (
        ((None, "last"), "run is missing; give a run's folder"),
        ((tmp_path / "no", "last"), r"run=.*no: no such folder"),
        ((tmp_path, "last"), r"holds no checkpoints/; give the folder of a single run, such as .*/run"),
        ((folder, "lsat"), r"checkpoint=lsat: .* has last\. Did you mean 'last'\?"),
    ):
        with pytest.raises(UserError, match=message):
            find_checkpoint(*arguments)
    with pytest.raises(UserError, match=r"checkpoint=.*other.ckpt: no such file"):
        open_run(folder, "other.ckpt")
    with pytest.raises(UserError, match=r"data.root=x: the run's data .* has no root"):
        open_run(folder, root="x")
    with pytest.raises(UserError, match=r"generator=eam: this run has raw and ema\. Did you mean 'ema'\?"):
        open_run(folder).sampler.generator("eam")
    with pytest.raises(UserError, match="device=abc: torch cannot use it here"):
        pick_device("abc")
    with pytest.raises(UserError, match="device=meta: torch cannot use it here"):
        pick_device("meta")
    assert pick_device("cpu") == torch.device("cpu")


def test_runs_of_a_sweep_are_in_numeric_order(tmp_path):
    for name in ("10", "2", "0"):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    assert [path.name for path in runs_in(tmp_path)] == ["0", "2", "10"]
    assert runs_in(tmp_path / "2") == [tmp_path / "2"]
    assert runs_in(None) == []


def test_runs_are_found_at_any_depth_but_not_inside_a_run(tmp_path):
    """The group of optim/schedule=linear becomes a folder of its own, where ``subdir`` is the override's text."""
    folders = [
        tmp_path / "optim" / f"schedule={name}" / f"seed={n}" for name in ("constant", "linear") for n in (2, 10)
    ]
    for folder in folders:
        (folder / "checkpoints").mkdir(parents=True)
    (folders[0] / "figures" / "checkpoints").mkdir(parents=True)
    assert runs_in(tmp_path) == [folders[2], folders[3], folders[0], folders[1]]


def test_settings_and_iteration_are_read_without_building_networks(finished, monkeypatch):
    def build(*_):
        raise AssertionError("a network was built")

    monkeypatch.setattr("gan.runs.build.module", build)
    cfg = finished[1]
    record_settings(cfg, Path(cfg.output_dir))
    run = open_run(cfg.output_dir)
    assert run.iteration == 12
    settings = RunFolder(run.folder).settings
    assert settings["trainer"]["max_steps"] == 12
    with pytest.raises(AssertionError, match="a network was built"):
        _ = run.module


@pytest.mark.processes
def test_run_folder_is_read_without_importing_torch(finished):
    cfg = finished[1]
    record_settings(cfg, Path(cfg.output_dir))
    code = (
        "import sys; from pathlib import Path; from gan.runs.folder import RunFolder;"
        f"f = RunFolder(Path({cfg.output_dir!r})); print(f.settings['seed'], list(f.checkpoints()));"
        "sys.exit('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(cfg.seed), "['last']"]
