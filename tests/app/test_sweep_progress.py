"""Sweeps as a user runs them: progress before each job, a ranking at the end."""

import json
import re

import pytest
from omegaconf import OmegaConf

from gan.app.sweep_progress import SweepProgress, count_jobs, readable

SMALL = ["model.generator.hidden=[16]", "model.discriminator.hidden=[16]", "latent.dim=4", "trainer=cpu"]
QUICK = [*SMALL, "trainer.max_steps=2", "logger=none", "callbacks=none"]


def settings(*overrides, target="hydra._internal.core_plugins.basic_sweeper.BasicSweeper", params=None):
    sweeper = {"_target_": target, "params": params}
    return OmegaConf.create({"hydra": {"sweeper": sweeper, "overrides": {"task": list(overrides)}}})


def test_jobs_are_the_product_of_the_listed_values():
    assert count_jobs(settings("k=1,2", "seed=1,2,3", "loss=hinge")) == 6
    assert count_jobs(settings("seed=range(5)", params={"k": "1,2"})) == 10
    assert count_jobs(settings("k=1,2", target="hydra.plugins.sweeper.Sweeper")) is None


def test_time_left_is_that_of_the_jobs_that_trained(monkeypatch, caplog):
    clock = iter([0.0, 0.1, 10.0, 70.0, 80.0])
    monkeypatch.setattr("gan.app.sweep_progress.time.monotonic", lambda: next(clock))
    progress = SweepProgress()
    progress.jobs = 8
    with caplog.at_level("INFO", logger="gan"):
        for number in range(2):  # the first was finished by an earlier command, the second takes a minute
            progress.on_job_start(OmegaConf.create({"hydra": {"job": {"num": number}}}))
            progress.on_job_end(OmegaConf.create())
        progress.on_job_start(OmegaConf.create({"hydra": {"job": {"num": 2}}}))
    assert caplog.messages == ["job 1 of 8", "job 2 of 8", "job 3 of 8, about 6 min left"]


@pytest.mark.parametrize(("seconds", "text"), [(99, "99 s"), (100, "2 min"), (5999, "100 min"), (6000, "1.7 h")])
def test_times_are_readable(seconds, text):
    assert readable(seconds) == text


def test_sweep_ends_with_a_ranking_even_if_a_job_failed(command, tmp_path):
    words = ["-m", *QUICK, "k=1,0", "seed=1,2", "hydra.sweep.dir=S"]
    status, output = command("train.py", tmp_path, *words)
    assert status == 1
    assert re.search(r"job 4 of 4", output)
    assert "ranking by valid/frechet_distance/ema, lower is better; mean ± standard error" in output
    assert re.search(r"\n +1 +[\d.,]+ ± [\d.,]+ +2/2 +k=1\n +2 +failed +0/2 +k=0\nwithout an objective: 2, 3 ", output)
    (best,) = json.loads((tmp_path / "S" / "ranking.json").read_text(encoding="utf-8"))["best"]
    assert f"\nthe only setting with a number\n  {best}\n" in output
    assert best.endswith("k=1")


def test_search_for_the_highest_value_ranks_a_diverged_run_last(command, tmp_path):
    words = ["-m", *QUICK, "objective=parzen", "optim.generator.lr=1e38,0.001", "hydra.sweep.dir=S"]
    _, output = command("train.py", tmp_path, *words)
    record = json.loads((tmp_path / "S" / "ranking.json").read_text(encoding="utf-8"))
    assert record["better"] == ["higher"]
    assert [one["mean"] for one in record["settings"]][1] == [None]
    assert "-inf" in output
    assert record["best"][0].endswith("optim.generator.lr=0.001")


def test_single_run_prints_neither(command, tmp_path):
    status, output = command("train.py", tmp_path, *QUICK, "output_dir=run")
    assert status == 0
    assert "job " not in output
    assert "ranking" not in output


def test_objective_null_leaves_the_ranking_out(command, tmp_path):
    status, output = command("train.py", tmp_path, "-m", *QUICK, "seed=1,2", "objective=null", "hydra.sweep.dir=S")
    assert status == 0
    assert "ranking" not in output
    assert not (tmp_path / "S" / "ranking.json").exists()


def test_refused_sweep_leaves_the_ranking_of_the_one_in_its_folder(command, tmp_path):
    words = ["-m", *SMALL, "trainer.max_steps=2", "logger=none", "hydra.sweep.dir=S"]
    command("train.py", tmp_path, *words, "seed=1,2")
    before = (tmp_path / "S" / "ranking.json").read_bytes()
    status, output = command("train.py", tmp_path, *words, "seed=3,4")
    assert status == 1
    assert "ranking" not in output
    assert (tmp_path / "S" / "ranking.json").read_bytes() == before
