"""The command evaluate.py, and the metrics at the end of training."""

import errno
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from gan.app import evaluate as evaluation
from gan.app import train
from gan.app.command_line import CONF, check
from gan.core import hardware
from gan.core.errors import UserError
from gan.core.numbers import mean_with_error, with_error
from gan.evaluation import evaluate as comparison
from gan.evaluation import reference
from gan.evaluation.records import FLOOR, Row, read
from gan.metrics.base import Measure
from gan.runs.folder import find_checkpoint
from gan.runs.run import open_run
from tests.conftest import composed, small, trained_experiment
from tests.core.test_hardware import ZEN3, ZEN4

FAULTS = {
    "read-only": "cannot be written: Read-only file system; give a copy",
    "no checkpoint": "has epoch=",
    "damaged scores": "metrics.json is not a list of records",
}


def evaluate(*words):
    evaluation.run(composed(*words, name="evaluate"))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three_epochs")
    trained_experiment(small(folder, "recipe.epochs=3", "logger=none", "callbacks.checkpoint.keep_every_n_epochs=1"))
    return folder


@pytest.fixture
def folder(original, tmp_path):
    """A copy of a run with three checkpoints, which the test may change."""
    return str(shutil.copytree(original, tmp_path / "run"))


def test_evaluate_command_on_a_sweep(configure, run_training, tmp_path, command):
    sweep = tmp_path / "sweep"
    for seed in (1, 2):
        run_training(configure("trainer.max_steps=5", "logger=none", f"seed={seed}", folder=f"sweep/{seed}"))
    status, output = command("evaluate.py", tmp_path, f"run={sweep}", "num_samples=50", "save_samples=true")
    assert status == 0, output
    assert output.count("features: digits classifier") == 2
    for metric in ("frechet_distance", "recall", "coverage", "memorization", "modes_found", "parzen_log_likelihood"):
        assert output.count(f"  {metric} ") == 3, metric  # each run, and their mean
    assert "mean of 2 runs" in output
    assert "remark" not in output
    assert " settings" not in output  # one setting is no comparison
    saved = np.load(sweep / "1" / "samples_ema.npz")
    assert saved["images"].shape == (50, 1, 8, 8)
    assert len(saved["z"]) == 50
    assert 0 <= saved["images"].min() <= saved["images"].max() <= 1
    records = json.loads((sweep / "2" / "metrics.json").read_text(encoding="utf-8"))
    assert {r["generator"] for r in records} == {"raw", "ema", FLOOR}
    assert {r["samples"] for r in records} == {50}
    assert len({r["metric"] for r in records}) == 13
    assert not (tmp_path / ".hydra").exists()


def test_settings_of_a_sweep_have_their_labels_and_one_table(configure, run_training, tmp_path, caplog):
    for number, words in enumerate((["loss=minimax", "seed=1"], ["loss=minimax", "seed=2"], ["loss=hinge", "seed=1"])):
        cfg = configure("trainer.max_steps=2", "logger=none", *words, folder=f"sweep/{number}")
        run_training(cfg)
        (tmp_path / "sweep" / str(number) / ".hydra").mkdir()
        OmegaConf.save(OmegaConf.create(words), tmp_path / "sweep" / str(number) / ".hydra" / "overrides.yaml")
    with caplog.at_level("INFO"):
        evaluate(f"run={tmp_path / 'sweep'}", "num_samples=50", "metrics=frechet")
    assert "mean of 2 runs with loss=minimax" in caplog.messages
    start = caplog.messages.index("2 settings; mean ± standard error over runs")
    *_, minimax, hinge, floor = (line.split() for line in caplog.messages[start:])
    values = {
        (number, record["generator"]): record["value"]
        for number in range(3)
        for record in read(tmp_path / "sweep" / str(number) / "metrics.json")
    }
    assert minimax == ["loss=minimax", *with_error(*mean_with_error([values[0, "ema"], values[1, "ema"]])).split()]
    assert hinge == ["loss=hinge", with_error(values[2, "ema"], None)]
    assert floor == [FLOOR, with_error(values[0, FLOOR], None)]


@pytest.mark.parametrize(
    ("metric", "count", "remarked"), [("frechet", 100, True), ("frechet", 1397, False), ("kernel", 100, False)]
)
def test_few_samples_are_remarked_where_they_raise_the_score(folder, caplog, metric, count, remarked):
    with caplog.at_level("INFO"):
        evaluate(f"run={folder}", f"metrics={metric}", f"num_samples={count}", "generator=raw")
    remark = "  few samples: distances are biased upwards; compare with the floor only"
    assert (remark in caplog.messages) == remarked


def test_runs_on_the_same_data_share_reference_images(configure, run_training, tmp_path, monkeypatch):
    for seed in (1, 2):
        run_training(configure("trainer.max_steps=5", "logger=none", f"seed={seed}", folder=f"sweep/{seed}"))
    made = []
    monkeypatch.setattr(
        evaluation, "load_reference", lambda *a, **k: made.append(reference.load_reference(*a, **k)) or made[-1]
    )
    evaluate(f"run={tmp_path / 'sweep'}", "metrics=frechet", "num_samples=50")
    assert len(made) == 1


def test_seed_group_may_mix_automatic_precisions(configure, run_training, tmp_path, caplog, monkeypatch):
    for seed, cpu in enumerate((ZEN3, ZEN4)):
        monkeypatch.setattr(hardware, "processor", lambda cpu=cpu: cpu)
        words = ["trainer.max_steps=2", "trainer.precision=auto", "logger=none", f"seed={seed}"]
        run_training(configure(*words, folder=f"sweep/{seed}"))
    with caplog.at_level("INFO"):
        evaluate(f"run={tmp_path / 'sweep'}", "num_samples=50", "metrics=frechet")
    assert "mean of 2 runs" in caplog.messages
    assert "trainer.precision=auto was 32-true in 1 and bf16-mixed in 1 of these runs" in caplog.messages[-1]


def test_best_checkpoint_is_chosen_on_validation_images(folder, caplog, monkeypatch):
    with caplog.at_level("INFO"):
        evaluate(f"run={folder}", "metrics=[frechet,parzen]", "select=best", "num_samples=400")
    records = read(find_checkpoint(folder, "last").parents[1] / "metrics.json")
    valid = {r["checkpoint"]: r["value"] for r in records if r["split"] == "valid" and r["generator"] == "ema"}
    assert set(valid) == {"epoch=0001.ckpt", "epoch=0002.ckpt", "epoch=0003.ckpt"}
    best = find_checkpoint(folder, "best").resolve()
    assert valid[best.name] == min(valid.values())
    assert {r["checkpoint"] for r in records if r["split"] == "test"} == {best.name}
    # The metric defines which value is better: for Parzen, the largest.
    evaluate(f"run={folder}", "metrics=[frechet,parzen]", "select=best", "select_by=parzen", "num_samples=400")
    records = read(find_checkpoint(folder, "last").parents[1] / "metrics.json")
    of_parzen = [r for r in records if r["split"] == "valid" and r["generator"] == "ema" and "parzen" in r["metric"]]
    best = find_checkpoint(folder, "best").resolve()
    evaluate(f"run={folder}", "metrics=parzen", "checkpoint=best", "num_samples=400")  # keeps the earlier choice
    assert find_checkpoint(folder, "best").resolve() == best
    assert {r["checkpoint"]: r["value"] for r in of_parzen}[best.name] == max(r["value"] for r in of_parzen)


def test_checkpoint_with_nan_score_is_never_the_best(folder, monkeypatch):
    def judged(sampler, *_):
        value = float("nan") if sampler.method.iteration == 21 else float(sampler.method.iteration)
        return [Row("ema", Measure("frechet_distance", value), 1, "pixels", "valid")], {}

    monkeypatch.setattr(evaluation, "evaluate", judged)
    evaluate(f"run={folder}", "metrics=frechet", "select=best")
    assert find_checkpoint(folder, "best").resolve().name == "epoch=0002.ckpt"


def test_damaged_metrics_json_is_reported_before_evaluation(folder, monkeypatch):
    monkeypatch.setattr(evaluation, "evaluate", lambda *_: pytest.fail("measured in vain"))
    (find_checkpoint(folder, "last").parents[1] / "metrics.json").write_text("[1", encoding="utf-8")
    with pytest.raises(UserError, match=r"metrics.json is not a list of records"):
        evaluate(f"run={folder}", "metrics=frechet")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_later_run_that_cannot_be_used_is_reported_before_evaluation(folder, tmp_path, monkeypatch, fault):
    second = Path(shutil.copytree(folder, tmp_path / "runs" / "2"))
    Path(folder).rename(tmp_path / "runs" / "1")

    def refuse(dir):
        if Path(dir) == second:
            raise OSError(errno.EROFS, "Read-only file system")
        return Path(os.devnull).open()

    if fault == "read-only":  # root may write everywhere
        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    elif fault == "no checkpoint":
        (second / "checkpoints" / "last.ckpt").unlink()
    else:
        (second / "metrics.json").write_text("[" * 100_000, encoding="utf-8")
    monkeypatch.setattr(evaluation, "evaluate", lambda *_: pytest.fail("measured before the report"))
    with pytest.raises(UserError, match=rf"2\b.*{FAULTS[fault]}"):
        evaluate(f"run={tmp_path / 'runs'}", "metrics=frechet")


def test_unsupported_metric_is_reported_before_training(configure):
    cfg = configure("trainer.max_steps=3", "logger=none", "metrics=modes", "features=pixels")
    with pytest.raises(UserError, match=r"Modes needs log_probabilities, which neither features=pixels"):
        train.run(cfg)
    assert not (Path(cfg.output_dir) / "checkpoints").exists()


def test_checkpoint_best_needs_an_earlier_selection(folder):
    with pytest.raises(
        UserError, match=r"checkpoint=best: none has been chosen; python evaluate.py run=.* select=best"
    ):
        open_run(folder, "best")


def test_select_best_with_one_checkpoint_logs_advice(configure, run_training, caplog):
    cfg = configure("trainer.max_steps=3", "logger=none")
    run_training(cfg)
    evaluate(f"run={cfg.output_dir}", "metrics=frechet", "select=best", "num_samples=100")
    assert "has one checkpoint; callbacks.checkpoint.keep_every_n_epochs=N saves more" in caplog.text


def test_scores_of_each_feature_extractor_are_recorded_separately(folder):
    for features in (None, "pixels"):
        evaluate(f"run={folder}", "metrics=frechet", "num_samples=100", *([f"features={features}"] if features else []))
    records = read(find_checkpoint(folder, "last").parents[1] / "metrics.json")
    assert len({r["features"] for r in records}) == 2
    assert len(records) == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "run is missing; give a run's folder"),
        (["run=nowhere"], "run=nowhere: no such folder"),
        (["run=.", "num_samples=1"], "num_samples must be a whole number of at least 2, or null, got 1."),
        (["run=.", "metrics=none"], "metrics=none leaves nothing to measure"),
        (["run=.", "metrics.parzen.sigmas=0"], "metrics.parzen.sigmas must be a whole number of at least 1, got 0"),
        (["run=.", "metrics.kernel.subsets=1"], "metrics.kernel.subsets must be a whole number of at least 2, got 1"),
        (["run=.", "metrics.precision_recall.k=2.5"], "metrics.precision_recall.k must be a whole number"),
        (["run=.", "select=bset"], "select must be best or null, got bset"),
        (
            ["run=.", "select=best", "select_by=fretchet"],
            r"select_by=fretchet must be a metric.*Did you mean 'frechet'\?",
        ),
        (
            ["run=.", "select=best", "select_by=memorization"],
            "select_by=memorization must be a metric that ranks",
        ),
    ],
)
def test_invalid_options_raise_clear_errors(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        evaluate(*words)


def test_typo_gets_a_suggestion():
    with pytest.raises(UserError, match=r"Did you mean 'num_samples'\?"):
        check(["run=x", "num_sample=3"], "evaluate")
    with pytest.raises(UserError, match=r"Did you mean 'frechet'\?"):
        check(["run=x", "metrics=frechett"], "evaluate")
    with pytest.raises(UserError, match=r"metrics=wgan: no such choice. There are"):  # there is no experiment=wgan here
        check(["run=x", "metrics=wgan"], "evaluate")


def test_training_can_end_with_an_evaluation(tmp_path, command):
    words = ["trainer.max_steps=3", "metrics=parzen", "logger=none", "output_dir=run", "trainer=cpu"]
    status, output = command("train.py", tmp_path, *words)
    assert status == 0, output
    records = read(tmp_path / "run" / "metrics.json")
    assert [r["generator"] for r in records] == ["raw", "ema", FLOOR]
    assert f"{records[1]['value']:.2f}" in output  # as many digits as its standard error allows
    assert records[1]["iteration"] == 3
    assert records[1]["features"] == "pixels"  # what the Parzen estimate is computed on


def test_evaluate_defaults_match_the_configuration():
    cfg = OmegaConf.load(CONF / "evaluate.yaml")
    assert comparison.evaluate.__defaults__ == (cfg.num_samples, cfg.seed)
