"""The numbers of a run: what is measured, what is written down, and what is left alone."""

import json

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gan import evaluation
from gan.cli import CONF, check
from gan.data.base import scale
from gan.errors import UserError
from gan.evaluation import FLOOR, Row, evaluate, over_runs, record, setting, table, told, training_images, write
from gan.metrics import Parzen
from gan.metrics.base import Measure
from gan.runs import open_run
from tests.test_end_to_end import finish, launch


@pytest.fixture
def run(configure, play):
    cfg = configure("trainer.max_steps=30", "logger=none")
    play(cfg)
    return open_run(cfg.output_dir)


def test_samples_and_floor_are_what_the_metric_gets(run):
    rows, samples = evaluate(run, [Parzen()], ["raw", "ema"], num_samples=300, seed=5)
    assert [row.generator for row in rows] == ["raw", "ema", FLOOR]
    fold = {name: scale(run.data.splits[name].images) for name in ("valid", "test")}
    assert torch.equal(samples["ema"], run.draw("ema", run.noise(300, 5)))
    assert rows[1].measure == Parzen()(samples["ema"], [fold])
    floor = training_images(run.data.splits["train"], 300, 5)
    assert rows[2].measure == Parzen()(floor, [fold])
    # The floor is made of 300 different training images.
    everything = {tuple(image.flatten().tolist()) for image in scale(run.data.splits["train"].images)}
    chosen = {tuple(image.flatten().tolist()) for image in floor}
    assert chosen <= everything
    assert len(chosen) == 300
    assert len(training_images(run.data.splits["train"], 10_000, 5)) == 1397
    assert rows[2].measure.value > rows[0].measure.value + 10  # thirty minibatches are not enough


def test_numbers_of_one_protocol_are_replaced_and_others_kept(run, tmp_path):
    def rows(value, **details):
        return [record(run, Row(Parzen(), "ema", Measure(value, 0.1, {"samples": 10, "sigma": [value], **details})), 0)]

    path = write(tmp_path, rows(1.0))
    write(tmp_path, rows(2.0))
    assert [r["value"] for r in json.loads(path.read_text())] == [2.0]
    write(tmp_path, rows(3.0, samples=20))
    write(tmp_path, rows(4.0, sigma_grid=[0.1]))
    assert [r["value"] for r in json.loads(path.read_text())] == [2.0, 3.0, 4.0]
    stored = json.loads(path.read_text())[0]
    assert (stored["metric"], stored["unit"], stored["checkpoint"]) == ("parzen_log_likelihood", "nats", "last.ckpt")
    assert (stored["minibatch"], stored["seed"], stored["generator"]) == (30, 0, "ema")


def test_a_foreign_file_is_not_overwritten(run, tmp_path):
    (tmp_path / "metrics.json").write_text("my notes")
    with pytest.raises(UserError, match=r"metrics.json is not a list of records"):
        write(tmp_path, [])
    assert (tmp_path / "metrics.json").read_text() == "my notes"


def test_mean_over_runs_has_its_error_over_runs():
    metric = Parzen()
    results = [[Row(metric, "ema", Measure(v, 9.0))] for v in (1.0, 2.0, 6.0)]
    (mean,) = over_runs(results)
    assert mean.measure.value == pytest.approx(3.0)
    assert mean.measure.standard_error == pytest.approx(np.std([1, 2, 6], ddof=1) / np.sqrt(3))
    assert "3.0 ± 1.5 nats" in table([mean])[0]
    assert "over 3 runs" in table([mean])[0]
    floors = [[Row(metric, FLOOR, Measure(5.0, 0.2))] for _ in range(3)]
    assert over_runs(floors) == floors[0]


def test_only_runs_that_differ_in_their_seed_are_averaged(configure):
    same = [
        setting(configure(f"seed={seed}", f"ema.decay={decay}", folder=f"{seed}"))
        for seed in (1, 2)
        for decay in (0, 0.9)
    ]
    assert same[0] == same[2] != same[1] == same[3]
    assert told(same[0], same) == "ema.decay=0"


def test_data_without_images_is_refused(configure, play):
    cfg = configure("data=gaussian", "latent.dim=8", "trainer.max_steps=3", "logger=none")
    play(cfg)
    with pytest.raises(UserError, match=r"was trained on .*endless numbers.*; this needs a set of images"):
        evaluate(open_run(cfg.output_dir), [Parzen()], ["raw"])


def test_the_command(configure, play, tmp_path):
    sweep = tmp_path / "sweep"
    for seed in (1, 2):
        play(configure("trainer.max_steps=5", "logger=none", f"seed={seed}", folder=f"sweep/{seed}"))
    output = finish(launch(tmp_path, f"run={sweep}", "num_samples=50", "save_samples=true", script="evaluate.py"))
    assert output.count("parzen_log_likelihood  floor") == 3
    assert "mean of 2 runs" in output
    saved = np.load(sweep / "1" / "samples_ema.npz")["images"]
    assert saved.shape == (50, 1, 8, 8)
    assert 0 <= saved.min() <= saved.max() <= 1
    assert len(json.loads((sweep / "2" / "metrics.json").read_text())) == 3
    assert not (tmp_path / ".hydra").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "run is missing; give a run's folder"),
        (["run=nowhere"], "run=nowhere: no such folder"),
        (["run=.", "num_samples=1"], "num_samples must be a whole number of at least 2, got 1."),
        (["run=.", "metrics=none"], "metrics=none leaves nothing to measure"),
        (["run=.", "metrics.parzen.sigmas=0"], "metrics.parzen: sigmas must be at least 1"),
    ],
)
def test_mistakes_are_named(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("evaluate", words)
    with pytest.raises(UserError, match=message):
        evaluation.run(cfg)


def test_a_typo_is_named():
    with pytest.raises(UserError, match=r"Did you mean 'num_samples'\?"):
        check(["run=x", "num_sample=3"], "evaluate")


def test_training_can_end_with_its_numbers(tmp_path):
    words = ["trainer.max_steps=3", "metrics=parzen", "logger=none", "output_dir=run", "trainer=cpu"]
    output = finish(launch(tmp_path, *words))
    records = evaluation.read(tmp_path / "run" / "metrics.json")
    assert [r["generator"] for r in records] == ["raw", "ema", FLOOR]
    assert f"{records[1]['value']:.1f} ±" in output
    assert records[1]["minibatch"] == 3


def test_defaults_agree_with_those_of_the_command():
    cfg = OmegaConf.load(CONF / "evaluate.yaml")
    assert evaluate.__defaults__ == (cfg.num_samples, cfg.seed)
