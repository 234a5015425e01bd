"""A job of a sweep finishes what its folder holds: skipped, resumed with the same bits, or refused."""

import shutil

import pytest
import torch
from omegaconf import OmegaConf

from gan.app.jobs import finished_before
from gan.core.errors import UserError
from gan.runs import outcome
from gan.runs.checkpoint import read
from gan.runs.folder import RunFolder
from tests.conftest import SMALL

SHORT = [*SMALL, "trainer.max_epochs=2", "logger=none", "~callbacks.sample_grids", "hydra.sweep.dir=S"]
SWEEP = ["-m", *SHORT, "seed=1,2", "callbacks.checkpoint.keep_every_n_epochs=1"]


def contents(folder):
    """The bytes of every file but the logs, to which a refused job adds its line."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".log"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder for a copy of the finished sweep, which only the first test trains."""
    return tmp_path_factory.mktemp("sweep") / "S"


@pytest.fixture
def sweep(tmp_path, command, kept):
    """The folder of a finished sweep of two jobs."""
    if not kept.exists():
        status, output = command("train.py", tmp_path, *SWEEP)
        assert status == 0, output
        shutil.copytree(tmp_path / "S", kept)
    else:
        shutil.copytree(kept, tmp_path / "S")
    return tmp_path / "S"


def test_killed_sweep_runs_only_what_is_missing_and_gives_the_same_bits(sweep, command):
    first, second = (sweep / job / "checkpoints" / "last.ckpt" for job in "01")
    before, objective = read(second), outcome.read(sweep / "1").objective
    untouched = contents(sweep / "0")
    shutil.copy(second.with_name("epoch=0001.ckpt"), second)  # as it was halfway
    (sweep / "1" / "outcome.json").unlink()
    status, output = command("train.py", sweep.parent, *SWEEP)
    assert status == 0
    assert f"S/0 is finished and not trained again: objective {outcome.read(sweep / '0').objective}" in output
    assert "resuming from iteration 21 of S/1/checkpoints/last.ckpt" in output
    assert contents(sweep / "0") == untouched
    after = read(second)
    assert after["iteration"] == before["iteration"] == 42
    assert all(torch.equal(after["state_dict"][name], value) for name, value in before["state_dict"].items())
    assert outcome.read(sweep / "1").objective == objective
    assert read(first)["iteration"] == 42


def test_job_killed_after_its_last_batch_still_has_its_objective(sweep, command):
    expected = outcome.read(sweep / "1")
    (sweep / "1" / "outcome.json").unlink()
    status, output = command("train.py", sweep.parent, *SWEEP)
    assert status == 0, output
    assert outcome.read(sweep / "1") == expected
    assert read(sweep / "1" / "checkpoints" / "last.ckpt")["iteration"] == 42


def test_another_sweep_in_the_same_folder_is_refused_before_the_first_job(sweep, command):
    before = contents(sweep)
    status, output = command("train.py", sweep.parent, "-m", *SHORT, "seed=7,8")
    assert status == 1
    assert "hydra.sweep.dir=S holds the sweep " in output
    assert "seed=1,2" in output
    assert "Launching" not in output
    assert contents(sweep) == before


def test_folder_of_runs_that_are_no_sweep_is_refused(sweep, command):
    (sweep / "multirun.yaml").unlink()
    status, output = command("train.py", sweep.parent, *SWEEP)
    assert status == 1
    assert "hydra.sweep.dir=S holds runs that are no sweep, which is not overwritten" in output


def test_job_of_another_configuration_is_refused(configure, run_training, tmp_path):
    """Where the command line is the same, but a configuration file has changed."""
    cfg = configure("trainer.max_steps=2", "logger=none", "callbacks.sample_grids=null")
    run_training(cfg)
    with pytest.raises(UserError, match="holds a run without its configuration, which is not overwritten"):
        finished_before(cfg)
    (tmp_path / "run" / ".hydra").mkdir()
    OmegaConf.save(cfg, tmp_path / "run" / ".hydra" / "config.yaml")
    assert finished_before(cfg) is None
    assert cfg.ckpt_path == str(tmp_path / "run" / "checkpoints" / "last.ckpt")
    cfg.ckpt_path = None
    outcome.write(tmp_path / "run", 0.5)
    assert finished_before(cfg) == outcome.Outcome(0.5)
    cfg.k, cfg.g_steps, cfg.ema.decay, cfg.ema.power = 2, 2, 0, 1
    with pytest.raises(UserError, match=r"another configuration \(ema.decay 0.999 → 0, .* and \d more keys?\)"):
        finished_before(cfg)


def test_each_failed_job_has_its_line_at_once_and_in_its_log(tmp_path, command):
    status, output = command("train.py", tmp_path, "-m", *SHORT, "data.batch_size=5000,6000,64")
    assert status == 1
    lines = output.strip().splitlines()
    assert lines[-1] == "error: 2 of 3 jobs failed: 0, 1"
    for job, size in enumerate((5000, 6000)):
        line = f"error: data.batch_size={size} is more than the 1397 training images."
        assert lines.count(line) == 1
        assert line in (tmp_path / "S" / str(job) / "train.log").read_text(encoding="utf-8")
    first = lines.index("error: data.batch_size=5000 is more than the 1397 training images.")
    assert any("#1 : " in line for line in lines[first:])  # the second job starts after the first one's line
    assert outcome.read(tmp_path / "S" / "2").finished


def test_single_run_in_a_used_folder_is_refused_unless_slurm_has_requeued_it(tmp_path, command, monkeypatch):
    words = [word for word in SHORT if "sweep" not in word] + ["output_dir=R"]
    assert command("train.py", tmp_path, *words)[0] == 0
    status, output = command("train.py", tmp_path, *words)
    assert status == 1
    assert "output_dir=R holds a run already" in output
    assert "ckpt_path=R/checkpoints/last.ckpt" in output
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    status, output = command("train.py", tmp_path, *words)
    assert status == 0
    assert "R is finished and not trained again" in output


def test_record_of_the_command_line_is_what_hydra_writes(tmp_path, command):
    words = [word for word in SHORT if "sweep" not in word] + ["output_dir=R", "k=2"]
    assert command("train.py", tmp_path, *words)[0] == 0
    record = tmp_path / "R" / ".hydra"
    assert sorted(path.name for path in record.iterdir()) == ["config.yaml", "hydra.yaml", "overrides.yaml"]
    assert "- k=2" in (record / "overrides.yaml").read_text(encoding="utf-8")
    assert RunFolder(tmp_path / "R").settings["k"] == 2
