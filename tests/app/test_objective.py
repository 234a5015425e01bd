"""What a run returns to a sweep: metrics computed once at the end, or logged scalars, each with its direction."""

import json
import math
from types import SimpleNamespace

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from gan.app.objective import search_directions
from gan.app.train import run
from gan.core.errors import UserError
from gan.data.digits import Digits
from gan.evaluation.evaluate import evaluate
from gan.evaluation.reference import load_reference
from gan.methods.sampler import Sampler
from gan.metrics import Frechet
from gan.runs import outcome
from gan.runs.instantiate import part
from gan.runs.run import open_run

SHORT = ["trainer.max_steps=3", "logger=none", "callbacks.sample_grids=null"]


@pytest.fixture
def sweep(monkeypatch):
    """Makes a run a job of a sweep, or of a search with a direction."""

    def pretend(direction=None):
        job = {"mode": RunMode.MULTIRUN, "job": {"num": 0}, "runtime": {"choices": {}}, "overrides": {"task": []}}
        settings = OmegaConf.create({**job, "sweeper": {"direction": direction}})
        monkeypatch.setattr(HydraConfig, "initialized", lambda: True)
        monkeypatch.setattr(HydraConfig, "get", lambda: SimpleNamespace(**settings))

    return pretend


@pytest.fixture
def broken_samples(monkeypatch):
    """Samples as a generator with NaN weights gives them."""
    parts = Sampler._parts
    monkeypatch.setattr(
        Sampler, "_parts", lambda self, *args: [torch.full_like(part, math.nan) for part in parts(*args)]
    )


def scores_by_hand(folder, cfg, metric):
    """The scores of the saved run on the validation images, as evaluate.py computes them."""
    opened = open_run(folder)
    reference = load_reference(opened.load_data(), part(cfg, "features"), torch.device("cpu"), [metric], "valid")
    rows, _ = evaluate(opened.sampler, reference, [metric], opened.sampler.names)
    return {row.generator: row.measure.value for row in rows}


@pytest.mark.parametrize(("words", "generator"), [([], "ema"), (["ema.decay=0"], "raw")])
def test_metric_is_that_of_the_final_generator_on_validation_images(configure, tmp_path, words, generator):
    cfg = configure("objective=frechet", *SHORT, *words)
    value = run(cfg)
    assert value == pytest.approx(scores_by_hand(tmp_path / "run", cfg, Frechet())[generator], rel=1e-6)
    (record,) = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert (record["value"], record["split"], record["generator"]) == (value, "valid", generator)
    expected = outcome.Outcome(value, names=[f"valid/frechet_distance/{generator}"], better=["lower"])
    assert outcome.read(tmp_path / "run") == expected


def test_single_run_computes_nothing_unless_asked(configure, tmp_path, monkeypatch):
    monkeypatch.setattr("gan.app.objective.load_reference", lambda *_: pytest.fail("nobody asked for it"))
    assert run(configure(*SHORT)) is None
    assert not (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "valid/frechet_distance/ema"),
        (["data=ring"], "valid/modes_found/ema"),
        (["data=gaussian"], None),
        (["features=mixture"], None),  # the metric cannot be computed with it
    ],
)
def test_sweep_ranks_by_the_metric_of_its_data(configure, tmp_path, sweep, words, name):
    sweep()
    value = run(configure(*words, *SHORT))
    assert (value is None) == (name is None)
    assert outcome.read(tmp_path / "run").names == ([] if name is None else [name])


def test_several_objectives_are_a_tuple_in_their_order(configure, tmp_path):
    values = run(configure("objective=[parzen,loss/generator,frechet]", *SHORT))
    assert isinstance(values, tuple)
    end = outcome.read(tmp_path / "run")
    assert list(values) == end.objective
    assert end.better == ["higher", "lower", "lower"]
    assert end.names == ["valid/parzen_log_likelihood/ema", "loss/generator", "valid/frechet_distance/ema"]


@pytest.mark.parametrize(("metric", "worst"), [("frechet", math.inf), ("parzen", -math.inf)])
def test_diverged_run_has_the_worst_value_of_each_direction(configure, tmp_path, broken_samples, metric, worst):
    assert run(configure(f"objective={metric}", *SHORT)) == worst
    assert outcome.read(tmp_path / "run").objective == worst


@pytest.mark.parametrize(("direction", "worst"), [("maximize", -math.inf), ("minimize", math.inf)])
def test_nan_scalar_is_the_worst_in_the_direction_of_the_search(configure, sweep, monkeypatch, direction, worst):
    sweep(direction)

    def nan(trainer, numbers):
        trainer.callback_metrics.update({name: torch.tensor(math.nan) for name in numbers})

    monkeypatch.setattr("gan.training.monitor.publish", nan)
    assert run(configure("objective=loss/generator", *SHORT)) == worst


@pytest.mark.parametrize(
    ("words", "direction", "message"),
    [
        (["objective=frechte"], None, "no scalar of a run and no metric. Did you mean 'frechet'"),
        (["objective=all"], None, "no scalar of a run and no metric"),
        (["objective=vendi"], None, "objective=vendi does not rank generators"),
        (["objective=frechet"], "maximize", "with objective=frechet a lower value is better"),
        (["objective=[frechet,parzen]"], "minimize", "has 1 of minimize and maximize, and objective has 2"),
        (["objective=frechet", "features=mixture"], None, "expects points around known centers"),
        (["objective=frechet", "data=gaussian"], None, "metrics need a set of images"),
    ],
)
def test_mistakes_are_reported_before_the_training(configure, tmp_path, sweep, words, direction, message):
    sweep(direction)
    with pytest.raises(UserError, match=message):
        run(configure(*words, *SHORT))
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_directions_of_a_search(sweep):
    sweep(["minimize", "MAXIMIZE"])
    assert search_directions(["a", "b"]) == ["lower", "higher"]
    sweep("maximize")
    assert search_directions(["a"]) == ["higher"]
    sweep()
    assert search_directions(["a", "b", "c"]) == [None] * 3


def test_metric_of_the_command_line_keeps_its_options(configure):
    """``metrics=parzen`` with options, then ``objective=parzen``: the same metric."""
    words = ["metrics=parzen", "~callbacks.scores", *SHORT]
    plain = run(configure(*words, "objective=parzen", folder="plain"))
    narrow = run(configure(*words, "metrics.parzen.high=0.02", "objective=parzen", folder="narrow"))
    assert plain != narrow


def test_own_data_of_images_is_ranked_by_the_frechet_distance():
    class Own(Digits):
        pass

    assert Own.ranked_by == "frechet"
