"""Runs opened again: the same weights, the same pictures, and one line for what cannot be."""

import shutil

import pytest
import torch

from gan.core.errors import UserError
from gan.runs.run import find_checkpoint, open_run, pick_device, runs_in

SMALL = ["trainer.max_steps=12", "logger=none", "data.batch_size=64"]


@pytest.fixture
def finished(configure, play):
    cfg = configure(*SMALL)
    return play(cfg), cfg


def test_a_run_is_what_was_trained(finished):
    game, cfg = finished
    run = open_run(cfg.output_dir)
    assert run.module.iteration == 12
    for name, value in game.module.state_dict().items():
        assert torch.equal(value, run.module.state_dict()[name]), name
    z = run.noise(5, seed=3)
    assert torch.equal(z, run.noise(5, seed=3))
    assert not torch.equal(z, run.noise(5, seed=4))
    assert torch.equal(run.draw("ema", z), game.module.generator_ema.eval()(z))
    assert not torch.equal(run.draw("ema", z), run.draw("raw", z))


def test_a_folder_can_be_moved(finished, tmp_path):
    _, cfg = finished
    shutil.move(cfg.output_dir, tmp_path / "elsewhere")
    run = open_run(tmp_path / "elsewhere")
    assert len(run.load_data().splits["train"]) == 1397


def test_drawing_in_parts_is_drawing(finished, monkeypatch):
    run = open_run(finished[1].output_dir)
    z = run.noise(7, seed=0)
    whole = run.draw("raw", z)
    monkeypatch.setattr("gan.runs.run.BATCH", 3)
    assert torch.allclose(run.draw("raw", z), whole, atol=1e-6)


def test_what_is_not_there_is_named(finished, tmp_path):
    folder = finished[1].output_dir
    for arguments, message in (
        ((None, "last"), "run is missing; give a run's folder"),
        ((tmp_path / "no", "last"), r"run=.*no: no such folder"),
        ((tmp_path, "last"), r"holds no checkpoints/"),
        ((folder, "lsat"), r"checkpoint=lsat: .* has last\. Did you mean 'last'\?"),
    ):
        with pytest.raises(UserError, match=message):
            find_checkpoint(*arguments)
    with pytest.raises(UserError, match=r"checkpoint=.*other.ckpt: no such file"):
        open_run(folder, "other.ckpt")
    with pytest.raises(UserError, match=r"data.root=x: the run's data .* has no root"):
        open_run(folder, root="x")
    with pytest.raises(UserError, match=r"generator=eam: .* has raw and ema\. Did you mean 'ema'\?"):
        open_run(folder).generator("eam")
    with pytest.raises(UserError, match="device=abc: torch cannot use it here"):
        pick_device("abc")


def test_runs_of_a_sweep_come_in_their_order(tmp_path):
    for name in ("10", "2", "0"):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    assert [path.name for path in runs_in(tmp_path)] == ["0", "2", "10"]
    assert runs_in(tmp_path / "2") == [tmp_path / "2"]
    assert runs_in(None) == []
