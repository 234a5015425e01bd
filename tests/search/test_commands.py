"""Searches as a user starts them, with short trainings."""

import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from tests.conftest import REPOSITORY, SMALL

optuna = pytest.importorskip("optuna")
from optuna.trial import TrialState  # noqa: E402

from gan.search.summary import FILE  # noqa: E402
from tests.search.test_sweep import study_in  # noqa: E402

SEARCH = [
    *("-m", "hydra/sweeper=optuna", "hydra.sweep.dir=S", *SMALL, "logger=none", "trainer.max_epochs=2"),
    *("data.batch_size=512", "recipe.lr=tag(log, interval(1e-4, 1e-2))", "k=1,2"),
    *("objective=valid/frechet_distance/raw", "metrics=frechet", "callbacks.scores.every_n_epochs=1"),
    *("callbacks.scores.num_samples=100", "callbacks.sample_grids.count=1", "callbacks.sample_grids.columns=1"),
]


class OddPruner(optuna.pruners.BasePruner):
    """Prunes every second trial at its first score."""

    def prune(self, study, trial):
        return trial.number % 2 == 1


ODD = f"hydra.sweeper.pruner._target_={__name__}.OddPruner"


def test_a_search_prunes_reports_and_ends_with_a_command(command, tmp_path):
    status, output = command("train.py", tmp_path, *SEARCH, ODD, "hydra.sweeper.n_trials=4")
    assert status == 0, output
    trials = study_in(tmp_path / "S").trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE, TrialState.PRUNED] * 2
    assert [list(trial.intermediate_values) for trial in trials] == [[2, 4], [2], [2, 4], [2]]  # iterations
    assert all(trials[n].value == pytest.approx(trials[n].intermediate_values[4]) for n in (0, 2))
    assert "2 of 4 trials were pruned: 1, 3\n" in output
    report = OmegaConf.load(tmp_path / "S" / FILE)
    assert report.best[0].trial == min((0, 2), key=lambda n: trials[n].value)
    assert report.best[0].command in output

    pruned = tmp_path / "S" / "1"
    assert json.loads((pruned / "pruned.json").read_text()) == {
        "trial": 1,
        "iteration": 2,
        "score": "valid/frechet_distance/raw",
        "value": trials[1].intermediate_values[2],
    }
    assert "pruned by the search at iteration 2" in (pruned / "train.log").read_text()
    assert (pruned / "checkpoints" / "last.ckpt").is_file()
    assert not (pruned / "outcome.json").exists()

    # Nothing of the search is a part of the run's configuration, so that the run can be resumed by itself.
    record = OmegaConf.load(pruned / ".hydra" / "overrides.yaml")
    assert [word for word in record if "trial" in word or "hydra" in word] == []
    journal = (tmp_path / "S" / "study.journal").read_bytes()
    status, output = command("train.py", tmp_path, "ckpt_path=S/1/checkpoints/last.ckpt", "output_dir=resumed")
    assert (status, "done: 4 batches" in output) == (0, True), output
    assert (tmp_path / "S" / "study.journal").read_bytes() == journal


def test_the_best_command_gives_the_best_value_again(command, tmp_path):
    command("train.py", tmp_path, *SEARCH, "hydra.sweeper.n_trials=2")
    best = OmegaConf.load(tmp_path / "S" / FILE).best[0]
    words = shlex.split(best.command.removeprefix("python train.py "))
    status, output = command("train.py", tmp_path, *words, "output_dir=again")
    assert status == 0, output
    assert f"valid/frechet_distance/raw {best['values'][0]:.4g}" in (tmp_path / "again" / "train.log").read_text()


def test_a_trial_over_seeds_has_a_folder_for_each(command, tmp_path):
    status, output = command("train.py", tmp_path, *SEARCH, "hydra.sweeper.n_trials=1", "hydra.sweeper.seeds=[1,2]")
    assert status == 0, output
    (trial,) = study_in(tmp_path / "S").trials
    ends = [json.loads((tmp_path / "S" / "0" / f"seed_{seed}" / "outcome.json").read_text()) for seed in (1, 2)]
    assert trial.value == pytest.approx(sum(end["objective"] for end in ends) / 2)
    assert ends[0]["objective"] != ends[1]["objective"]


def test_a_failed_trial_is_survived(command, tmp_path):
    """A batch larger than the data fails when the job has started."""
    words = [*SEARCH, "data.batch_size=512,5000", "hydra.sweeper.n_trials=4"]
    status, output = command("train.py", tmp_path, *words)
    states = {trial.params["data.batch_size"]: trial.state for trial in study_in(tmp_path / "S").trials}
    assert states == {512: TrialState.COMPLETE, 5000: TrialState.FAIL}, output
    assert (status, " of 4 trials failed: " in output) == (0, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([ODD, "objective=loss/generator"], "error: hydra.sweeper.pruner: objective=loss/generator is no score"),
        (["hydra.sweeper.direction=maximize"], "hydra.sweeper.direction=maximize: a lower valid/frechet_distance/raw"),
        (["hydra.sweeper.n_trails=2"], "n_trails"),
    ],
)
def test_a_mistake_is_one_line(words, message, command, tmp_path):
    status, output = command("train.py", tmp_path, *SEARCH, "hydra.sweeper.n_trials=1", *words)
    assert status == 1
    assert message in output
    assert "Traceback" not in output


def test_the_official_plugin_may_be_installed_too(command, tmp_path):
    """It registers a configuration of the same name, which Hydra would merge into our file."""
    store = ConfigStore.instance()
    store.store(group="hydra/sweeper", name="optuna", node={"_target_": "elsewhere.Sweeper", "storage": None})
    status, output = command("train.py", tmp_path, *SEARCH, "hydra.sweeper.n_trials=1")
    assert status == 0, output
    assert len(study_in(tmp_path / "S").trials) == 1


def test_without_optuna_one_line_says_what_to_install(command, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("gan.app.overrides.find_spec", lambda name: None if name == "optuna" else find(name))
    status, output = command("train.py", tmp_path, *SEARCH)
    assert (status, output) == (
        1,
        "error: hydra/sweeper=optuna: optuna is not installed: pip install -e '.[search]'\n",
    )


@pytest.mark.processes
def test_hydra_finds_the_sweeper_without_importing_optuna():
    code = (
        "import sys; from hydra.core.plugins import Plugins; names = Plugins.instance().class_name_to_class; "
        "assert 'hydra_plugins.gan_sweeps.search.Search' in names; "
        "assert not {'optuna', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


@pytest.mark.slow
@pytest.mark.processes
def test_a_search_killed_in_a_training_equals_an_uninterrupted_one(command, tmp_path):
    words = [*SEARCH, "hydra.sweeper.n_trials=2", "trainer.max_epochs=4"]
    # as many threads as this process has: the last bits of a score depend on it
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    words_of_process = [sys.executable, REPOSITORY / "train.py", *words]
    process = subprocess.Popen(words_of_process, cwd=tmp_path, env=environment, text=True)
    second = tmp_path / "S" / "1" / "checkpoints" / "last.ckpt"
    try:
        while not second.exists() and process.poll() is None:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    assert [trial.state for trial in study_in(tmp_path / "S").trials] == [TrialState.COMPLETE, TrialState.RUNNING]
    status, output = command("train.py", tmp_path, *words)
    assert (status, "interrupted and continued: 1\n" in output) == (0, True), output
    status, output = command("train.py", tmp_path, *words, "hydra.sweep.dir=whole")
    assert status == 0, output
    killed, whole = (study_in(tmp_path / name).trials for name in ("S", "whole"))
    assert [trial.params for trial in killed] == [trial.params for trial in whole]
    assert [trial.values for trial in killed] == [trial.values for trial in whole]
    assert [trial.intermediate_values for trial in killed] == [trial.intermediate_values for trial in whole]


HOLDER = """
import filelock, pathlib, time
lock = filelock.FileLock("S/0/.lock")
lock.acquire()
print("held", flush=True)
while "still trains here" not in pathlib.Path("S/0/train.log").read_text():
    time.sleep(0.05)
"""
PRUNER = """
import optuna
storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend("S/study.journal"))
(trial,) = optuna.load_study(study_name="search", storage=storage).trials
storage.set_trial_user_attr(trial._trial_id, "pruned", "iteration 2")
"""


@pytest.mark.processes
@pytest.mark.parametrize(("last", "state"), [("", TrialState.COMPLETE), (PRUNER, TrialState.PRUNED)])
def test_a_job_waits_for_a_process_that_still_trains_in_its_folder(last, state, command, tmp_path):
    """As joblib's workers do after their search was killed. They may prune the trial."""
    (tmp_path / "S" / "0").mkdir(parents=True)
    (tmp_path / "S" / "0" / "train.log").touch()
    code = [sys.executable, "-c", HOLDER + last]
    with subprocess.Popen(code, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "held\n"
            _, output = command("train.py", tmp_path, *SEARCH, "hydra.sweeper.n_trials=1")
            assert other.poll() == 0  # it has ended before the job did
        finally:
            other.kill()
    assert "waiting for its end" in output
    assert [trial.state for trial in study_in(tmp_path / "S").trials] == [state]
    assert (tmp_path / "S" / "0" / "outcome.json").exists() == (state == TrialState.COMPLETE)
