"""Early stopping and the best checkpoint: what they decide from given scores, and that a resume changes nothing."""

import math

import pytest
import torch

from gan.app import evaluate as evaluation
from gan.app.train import run
from gan.core.errors import UserError
from gan.evaluation.records import Row
from gan.metrics.base import Measure
from gan.runs.run import open_run
from gan.training.best import BestCheckpoint, BestScore, EarlyStopping
from tests.conftest import composed

EPOCH = 10  # batches of 128 digits
COMMON = ["data.batch_size=128", "trainer.max_epochs=12", "callbacks.scores.every_n_epochs=1", "metrics=frechet"]
COMMON += ["logger=none", "callbacks.sample_grids=null", "optim/schedule=linear"]
BOTH = [*COMMON, "callbacks=[default,early_stopping,best_checkpoint]", "callbacks.early_stopping.patience=3"]


@pytest.fixture
def scores(monkeypatch):
    """Replaces the scores of the EMA after epochs 1, 2, … by these numbers."""

    def replace(*values, better="lower", generator="ema"):
        def evaluated(sampler, *_):
            value = values[sampler.method.iteration // EPOCH - 1]
            rows = {name: value if name == generator else 1.0 for name in ("raw", "ema", "floor")}
            return [Row(name, Measure("distance", v), 9, "pixels", "valid", better) for name, v in rows.items()], {}

        monkeypatch.setattr("gan.training.scores.evaluate", evaluated)
        monkeypatch.setattr("gan.app.train.look_back", lambda *_: {})

    return replace


def callback(game, kind):
    (found,) = [one for one in game.trainer.callbacks if isinstance(one, kind)]
    return found


def files(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


@pytest.mark.parametrize(
    ("values", "better", "least", "expected"),
    [
        ([5.0, 4.0, 4.0, 3.0], "lower", 0.0, [True, True, False, True]),
        ([5.0, 4.0, 6.0, 6.5], "higher", 0.0, [True, False, True, True]),
        ([5.0, 4.9, 4.7, 4.4], "lower", 0.2, [True, False, True, True]),
        ([math.nan, 5.0, -math.inf, math.inf], "lower", 0.0, [False, True, False, False]),
    ],
)
def test_improvements(values, better, least, expected):
    best = BestScore("valid/a/raw", "key", least)
    assert [best.improved_by({"valid/a/raw": v}, {"valid/a/raw": better}, n) for n, v in enumerate(values)] == expected


def test_first_ranking_metric_of_the_ema_is_followed_unless_another_is_named():
    better = {
        f"valid/{n}/{g}": b for n, b in (("recall", None), ("a", "lower"), ("b", "higher")) for g in ("raw", "ema")
    }
    better |= {"valid/a/floor": "lower"}
    best = BestScore(None, "key")
    assert best.improved_by(dict.fromkeys(better, 1.0), better, 1)
    assert best.name == "valid/a/ema"
    with pytest.raises(UserError, match=r"key must be one of valid/a/raw, .*valid/b/ema. Did you mean 'valid/b/ema'"):
        BestScore("valid/b/emma", "key").improved_by(dict.fromkeys(better, 1.0), better, 1)


def test_training_stops_after_patience_evaluations_and_keeps_the_best(configure, scores, tmp_path, caplog):
    scores(9.0, 5.0, 7.0, 6.0, 5.0, 1.0, 1.0)
    with caplog.at_level("INFO", logger="gan"):
        run(configure(*BOTH))
    assert open_run(tmp_path / "run").iteration == 5 * EPOCH
    assert files(tmp_path / "run") == ["best.ckpt", "iteration=0000020.ckpt", "last.ckpt"]
    assert open_run(tmp_path / "run", "best").iteration == 2 * EPOCH
    why = "valid/distance/ema has not improved on 5 (iteration 20) in 3 evaluations"
    assert caplog.messages[-1] == f"stopped early after iteration 50 of 120: {why}"


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_direction_of_the_metric_counts(configure, scores, tmp_path, better):
    scores(*range(1, 13), better=better)
    run(configure(*BOTH))
    assert open_run(tmp_path / "run").iteration == (4 * EPOCH if better == "lower" else 12 * EPOCH)
    assert open_run(tmp_path / "run", "best").iteration == (EPOCH if better == "lower" else 12 * EPOCH)


def test_scores_that_are_never_finite_stop_the_run(configure, scores, caplog):
    scores(*[math.nan] * 12)
    with caplog.at_level("INFO", logger="gan"):
        run(configure(*BOTH))
    assert caplog.messages[-1].endswith("30 of 120: valid/distance/ema was not finite in 3 evaluations")


@pytest.mark.parametrize("at", [1, 2, 4])
def test_resumed_run_stops_at_the_same_iteration_with_the_same_best(configure, scores, tmp_path, at):
    scores(9.0, 5.0, 7.0, 6.0, 5.5, 1.0)
    run(configure(*BOTH, "callbacks.checkpoint.keep_every_n_epochs=1", folder="whole"))
    saved = tmp_path / "whole" / "checkpoints" / f"epoch={at:04d}.ckpt"
    run(configure(*BOTH, f"ckpt_path={saved}", folder="rest"))
    for name in ("last", "best"):  # for at=1 the best checkpoint of then is no more: a better one has replaced it
        whole, rest = (
            torch.load(tmp_path / folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
            for folder in ("whole", "rest")
        )
        assert whole["iteration"] == rest["iteration"]
        assert all(torch.equal(whole["state_dict"][key], rest["state_dict"][key]) for key in whole["state_dict"])


def test_run_that_stopped_early_has_nothing_left_unless_its_patience_grows(configure, scores, tmp_path):
    scores(9.0, 5.0, 7.0, 6.0, 5.5, 1.0, *[2.0] * 6)
    run(configure(*BOTH, folder="first"))
    last = f"ckpt_path={tmp_path / 'first' / 'checkpoints' / 'last.ckpt'}"
    run(configure(*BOTH, last, folder="again"))
    assert open_run(tmp_path / "again").iteration == 5 * EPOCH
    run(configure(*BOTH, last, "callbacks.early_stopping.patience=4", folder="longer"))
    assert open_run(tmp_path / "longer").iteration == 10 * EPOCH
    assert open_run(tmp_path / "longer", "best").iteration == 6 * EPOCH


def test_lost_best_checkpoint_is_reported_and_replaced(configure, scores, tmp_path, caplog):
    scores(5.0, 9.0, 8.0, 8.5, 8.5, 8.5, *[9.0] * 6)
    words = [*COMMON, "callbacks=[default,best_checkpoint]"]
    run(configure(*words, "trainer.max_epochs=1", "optim/schedule=constant", folder="first"))
    (tmp_path / "first" / "checkpoints" / "iteration=0000010.ckpt").unlink()
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    run(configure(*words, "trainer.max_epochs=4", "optim/schedule=constant", f"ckpt_path={last}", folder="rest"))
    assert "the next evaluation counts as the first" in caplog.text
    assert open_run(tmp_path / "rest", "best").iteration == 3 * EPOCH


def test_a_best_checkpoint_of_the_training_can_be_chosen_afterwards(configure, scores, tmp_path, monkeypatch):
    """``select=best`` compares it with the checkpoints of ``keep_every_n_epochs``."""
    scores(5.0, 9.0, *[10.0] * 10)
    words = ["callbacks=[default,best_checkpoint]", "callbacks.checkpoint.keep_every_n_epochs=3"]
    run(configure(*COMMON, *words, "trainer.max_epochs=3"))
    seen = {}
    monkeypatch.setattr(evaluation, "validate", lambda cfg, folder, path, *_: seen.setdefault(path.name, len(seen)))
    cfg = composed(f"run={tmp_path / 'run'}", "metrics=frechet", "num_samples=50", "select=best", name="evaluate")
    evaluation.run(cfg)
    assert seen == {"epoch=0003.ckpt": 0, "iteration=0000010.ckpt": 1}
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").resolve().name == "epoch=0003.ckpt"


@pytest.mark.parametrize(
    "words", [["callbacks=early_stopping"], ["callbacks=[default,early_stopping]", "metrics=none"]]
)
@pytest.mark.parametrize("name", ["early_stopping", "best_checkpoint"])
def test_without_scores_they_are_refused_before_the_first_step(configure, tmp_path, words, name):
    words = [word.replace("early_stopping", name) for word in words]
    with pytest.raises(UserError, match=rf"callbacks.{name} needs the callback scores .* callbacks=\[default,{name}\]"):
        run(configure("metrics=frechet", *words, "trainer.max_steps=2"))
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize("bad", [{"patience": 0}, {"least": -1.0}])
def test_options_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))} must be"):
        EarlyStopping(**bad)


def test_keeping_the_best_does_not_change_the_training(configure, run_training):
    words = ["data.batch_size=128", "trainer.max_epochs=2", "metrics=frechet", "callbacks.scores.every_n_epochs=1"]
    plain = run_training(configure(*words, "metrics=none", "logger=none", folder="plain"))
    kept = run_training(configure(*words, "logger=none", "callbacks=[default,best_checkpoint]", folder="kept"))
    assert callback(kept, BestCheckpoint).last_saved.is_file()
    state = plain.module.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in kept.module.state_dict().items())
