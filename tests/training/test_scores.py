"""Metrics during training."""

import math

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan.app.train import run
from gan.core.errors import UserError
from gan.evaluation.records import Row
from gan.metrics.base import Measure
from gan.metrics.features import Pixels
from gan.training import Scores

BATCHES = 21  # of 64 in an epoch of the digits


@pytest.fixture
def scored(configure):
    def make(*words, folder="run"):
        return configure(
            "recipe.epochs=3",
            "callbacks.scores.every_n_epochs=2",
            "callbacks.scores.num_samples=100",
            *words,
            folder=folder,
        )

    return make


def weights(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_scores_are_logged_by_iteration(scored, run_training):
    cfg = scored("metrics=[frechet,precision_recall]")
    game = run_training(cfg)
    events = EventAccumulator(cfg.output_dir)
    events.Reload()
    for name in ("frechet_distance", "precision", "recall"):
        for generator in ("raw", "ema", "floor"):
            points = events.Scalars(f"valid/{name}/{generator}")
            assert [point.step for point in points] == [2 * BATCHES, 3 * BATCHES]
    (scores,) = [c for c in game.trainer.callbacks if isinstance(c, Scores)]
    assert events.Scalars("valid/frechet_distance/ema")[-1].value == pytest.approx(
        scores.latest["valid/frechet_distance/ema"], rel=1e-6
    )
    assert scores.reference.split == "valid"


def test_scoring_does_not_change_the_training(scored, run_training, tmp_path):
    run_training(scored("metrics=all", "logger=none", folder="with"))
    run_training(scored("logger=none", folder="without"))
    watched, alone = weights(tmp_path / "with"), weights(tmp_path / "without")
    assert all(torch.equal(watched[key], alone[key]) for key in alone)


def test_score_can_be_the_objective_of_a_sweep(scored):
    value = run(scored("metrics=frechet", "objective=valid/frechet_distance/ema", "logger=none"))
    assert value > 0
    with pytest.raises(UserError, match=r"objective=valid/frechet_distance/ema is no scalar of a run"):
        run(scored("objective=valid/frechet_distance/ema", "logger=none", folder="unscored"))
    with pytest.raises(UserError, match=r"was not reported. Did you mean 'valid/frechet_distance/ema'\?"):
        run(scored("metrics=frechet", "objective=valid/frechet_distanc/ema", "logger=none", folder="misspelt"))


def test_failed_scoring_does_not_stop_the_training(scored, run_training, caplog):
    game = run_training(scored("metrics=kernel", "callbacks.scores.num_samples=15", "logger=none"))
    assert game.module.iteration == 3 * BATCHES
    assert "not scored: Kernel needs at least 20 samples and training images, there are 15" in caplog.text


@pytest.mark.parametrize("bad", [{"every_n_epochs": 0}, {"num_samples": 1}])
def test_options_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))} must be a whole number of at least"):
        Scores({}, Pixels(), **bad)


def test_each_score_has_its_better_direction(scored, run_training):
    game = run_training(scored("metrics=[frechet,parzen,precision_recall]", "logger=none"))
    (scores,) = [c for c in game.trainer.callbacks if isinstance(c, Scores)]
    assert scores.better["valid/frechet_distance/ema"] == "lower"
    assert scores.better["valid/parzen_log_likelihood/raw"] == "higher"
    assert scores.better["valid/recall/ema"] is None


@pytest.mark.parametrize(("metric", "worst"), [("frechet_distance", math.inf), ("parzen_log_likelihood", -math.inf)])
def test_nan_score_counts_as_the_worst(scored, monkeypatch, metric, worst):
    def broken(sampler, reference, metrics, *_):
        rows = [Row("ema", Measure(metric, math.nan), 1, "pixels", "valid", metrics[0].better)]
        return rows, {}

    monkeypatch.setattr("gan.training.scores.evaluate", broken)
    monkeypatch.setattr("gan.app.train.look_back", lambda *_: {})
    name = {"frechet_distance": "frechet", "parzen_log_likelihood": "parzen"}[metric]
    assert run(scored(f"metrics={name}", f"objective=valid/{metric}/ema", "logger=none")) == worst
