"""Every launcher runs a sweep; a job's threads, failure and resumption are right under each."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from gan.app import overrides
from gan.app.command_line import CONF, check
from gan.app.search_path import config_files
from gan.core.errors import Stopped, UserError
from gan.runs import outcome
from gan.runs.checkpoint import read
from hydra_plugins.gan_sweeps import launchers
from tests.conftest import SMALL
from tests.test_end_to_end import finish, launch, wait_for

FILES = sorted((CONF / "hydra" / "launcher").glob("*.yaml"))
SHORT = [*SMALL, "trainer.max_epochs=2", "~callbacks.sample_grids", "hydra.sweep.dir=S"]


def needs(package):
    """Skips a test where a launcher's package is missing."""
    found = importlib.util.find_spec(f"hydra_plugins.hydra_{package}_launcher")
    return pytest.mark.skipif(found is None, reason=f"hydra-{package}-launcher is not installed")


def same_weights(one, other):
    a, b = (read(Path(folder) / "checkpoints" / "last.ckpt")["state_dict"] for folder in (one, other))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_launcher_composes_to_its_own_file(file):
    with config_files("train") as files:
        chosen = [*files.overrides, f"hydra/launcher={file.stem}", "hydra.sweep.dir=S", "hydra.job.name=train"]
        composed = compose("train", chosen, return_hydra_config=True).hydra.launcher
    assert OmegaConf.to_container(composed, resolve=False) == OmegaConf.to_container(OmegaConf.load(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_missing_package_gives_the_command_that_installs_it(file, monkeypatch):
    monkeypatch.setattr(overrides, "find_spec", lambda name: None)
    module, extra = re.search(
        r"^# Requires: ([\w.]+): pip install -e '\.\[(\w+)\]'$", file.read_text(), re.MULTILINE
    ).groups()
    with pytest.raises(UserError) as error:
        check([f"hydra/launcher={file.stem}"], "train", sweep=True)
    package = module.rpartition(".")[2]
    assert str(error.value) == f"hydra/launcher={file.stem}: {package} is not installed: pip install -e '.[{extra}]'"
    project = (CONF.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(rf'^{extra} = \["{package.replace("_", "-")}', project, re.MULTILINE)


def test_threads_are_the_cores_divided_by_the_jobs_at_once(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    config = OmegaConf.create({"hydra": {"overrides": {"hydra": []}}})
    launchers.set_threads(config, 8 // 3)
    launchers.set_threads(config, 0)
    assert list(config.hydra.overrides.hydra) == [
        "++hydra.job.env_set.OMP_NUM_THREADS='2'",
        "++hydra.job.env_set.OMP_NUM_THREADS='1'",
    ]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    launchers.set_threads(config, 2)
    assert len(config.hydra.overrides.hydra) == 2


@pytest.mark.parametrize(
    ("wanted", "jobs", "gpus", "at_once", "threads"),
    [(-1, 9, 0, 8, 1), (-1, 3, 0, 3, 2), (2, 9, 0, 2, 4), (-1, 9, 4, 4, 2), (3, 9, 4, 3, 2)],
)
@needs("joblib")
def test_joblib_starts_as_many_jobs_as_cores_or_gpus(monkeypatch, wanted, jobs, gpus, at_once, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(launchers, "cores", lambda: 8)
    monkeypatch.setattr(launchers, "gpus", lambda: gpus)
    monkeypatch.setattr(launchers.JoblibLauncher, "launch", lambda self, overrides, first: self.joblib["n_jobs"])
    launcher = launchers.Joblib(n_jobs=wanted)
    launcher.config = OmegaConf.create({"hydra": {"overrides": {"hydra": []}}})
    assert launcher.launch([[]] * jobs, 0) == at_once
    assert launcher.config.hydra.overrides.hydra == [f"++hydra.job.env_set.OMP_NUM_THREADS='{threads}'"]


@pytest.mark.processes
@pytest.mark.parametrize(("status", "code"), [("COMPLETED", 0), ("FAILED", 1)])
def test_process_of_a_failed_job_ends_with_an_error(status, code):
    """After its last statement: submitit writes the result before."""
    program = (
        "from hydra.core.utils import JobReturn, JobStatus; from hydra_plugins.gan_sweeps import launchers;"
        f"launchers._failing(JobReturn(status=JobStatus.{status})); print('result written')"
    )
    done = subprocess.run([sys.executable, "-u", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "result written\n"), done.stderr


def test_failed_jobs_of_submitit_are_reported_and_the_others_kept(capsys):
    pytest.importorskip("submitit")
    results = [
        JobReturn(status=JobStatus.COMPLETED),
        JobReturn(status=JobStatus.FAILED, _return_value=UserError("no.")),
    ]
    assert launchers._launched(lambda *_: results, [[], []], 4) == results
    assert capsys.readouterr().err == "error: job 5: no\n"


def test_stopped_job_can_be_sent_to_the_process_of_the_sweep():
    import pickle

    stopped = pickle.loads(pickle.dumps(Stopped("stopped after iteration 3", 143, "a b/last.ckpt")))
    text = "stopped after iteration 3; resume with: python train.py 'ckpt_path=a b/last.ckpt'"
    assert (str(stopped), stopped.exit_code) == (text, 143)


@needs("joblib")
@pytest.mark.slow
@pytest.mark.processes
def test_joblib_gives_the_bits_of_single_runs(tmp_path):
    """Three jobs in two processes: one process trains two of them, one after the other."""
    words = ["-m", *SHORT, "seed=1,2,3", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    output = finish(launch(tmp_path, *words))
    assert output.count("cpu with 1 thread,") == 3
    assert "Warning" not in output
    single = [word for word in SHORT if "sweep" not in word]
    finish(launch(tmp_path, *single, "seed=3", "output_dir=alone"))
    assert same_weights(tmp_path / "alone", tmp_path / "S" / "2")


@needs("submitit")
@pytest.mark.slow
@pytest.mark.processes
def test_job_of_submitit_killed_twice_ends_with_the_bits_of_an_uninterrupted_one(tmp_path):
    long = [
        *SMALL,
        "k=2",
        "objective=frechet",
        "trainer.max_epochs=15",
        "callbacks.checkpoint.every_n_batches=10",
        "~callbacks.sample_grids",
    ]
    finish(launch(tmp_path, *long, "output_dir=whole"))
    process = launch(tmp_path, "-m", *long, "seed=1", "hydra/launcher=submitit_local", "hydra.sweep.dir=S")
    last = tmp_path / "S" / "0" / "checkpoints" / "last.ckpt"
    reached = 0
    for _ in range(2):
        wait_for(lambda: last.exists() and read(last)["iteration"] > reached + 20, process)  # noqa: B023
        reached = read(last)["iteration"]
        for job in submitit_processes(tmp_path):
            os.kill(job, signal.SIGUSR2)  # Slurm's before it takes the machine away
    finish(process)
    (log,) = (tmp_path / "S" / ".submitit").glob("*.out")
    assert log.read_text(encoding="utf-8").count("resuming from iteration") == 2
    assert same_weights(tmp_path / "whole", tmp_path / "S" / "0")
    assert outcome.read(tmp_path / "S" / "0") == outcome.read(tmp_path / "whole")


def submitit_processes(folder):
    """The ids of the processes that train jobs of a sweep in ``folder``."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_text().split("\0")
            here = (entry / "cwd").resolve() == folder
        except OSError:  # it has ended
            continue
        if here and "submitit.core._submit" in command:
            yield int(entry.name)


@needs("ray")
@pytest.mark.slow
@pytest.mark.processes
def test_ray_runs_a_sweep_on_a_local_cluster(tmp_path):
    output = finish(launch(tmp_path, "-m", *SHORT, "seed=1,2", "hydra/launcher=ray"))
    assert [outcome.read(tmp_path / "S" / job).finished for job in "01"] == [True, True], output


@pytest.mark.slow
@pytest.mark.processes
def test_jobs_of_two_processes_run_one_after_the_other(tmp_path):
    """The second process of each job trains that job, in its folder, and is gone before the next job starts."""
    words = ["-m", *SHORT, "trainer.devices=2", "seed=1,2"]
    output = finish(launch(tmp_path, *words))
    assert output.count("2 × cpu") == 2
    single = [word for word in SHORT if "sweep" not in word]
    finish(launch(tmp_path, *single, "trainer.devices=2", "seed=2", "output_dir=alone"))
    assert same_weights(tmp_path / "alone", tmp_path / "S" / "1")
    assert {path.name for path in (tmp_path / "S").iterdir()} == {"0", "1", "multirun.yaml", "ranking.json"}
    assert not (tmp_path / "outputs").exists()
