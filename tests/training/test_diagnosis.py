"""Runs made to fail in each way get a warning, healthy ones do not, and training is unaffected."""

import logging
from types import SimpleNamespace

import pytest
import torch
from hydra import compose, initialize_config_dir
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan.app.command_line import CONF
from gan.app.prepare import prepare
from gan.metrics.features import Pixels, Shipped, Trained
from gan.runs.build import build
from gan.training import Diagnosis
from gan.training.diagnosis import extractor_for
from gan.training.symptoms import ModeCollapse, Symptom
from tests.test_end_to_end import finish, launch
from tests.test_resume import StopAt, assert_same_bits, weights

OWN = "callbacks.diagnosis"
#: checks five times as often, so that short runs show symptoms
SHORT = [
    *(f"{OWN}.every_n_batches=10", f"{OWN}.warm_up=20", f"{OWN}.samples_every_n_batches=20"),
    *(f"{OWN}.symptoms.mode_collapse.checks=8", f"{OWN}.checks_to_clear=3"),
    *(f"{OWN}.symptoms.oscillation.checks=12", f"{OWN}.symptoms.oscillation.swings=6"),
    *("optim/schedule=constant", "ema.decay=0", "~callbacks.sample_grids", "model.discriminator.dropout=0"),
]


def rates(generator, discriminator):
    return [f"optim.generator.lr={generator}", f"optim.discriminator.lr={discriminator}"]


FAILING = {
    # One network is frozen, so that rounding cannot decide.
    "discriminator_won": ["loss=minimax", *rates(0, 0.05), "model.discriminator.hidden=[256]"],
    "generator_ahead": rates(0.01, 0),
    "margin_reached": ["loss=hinge", *rates(0, 0.05), "model.discriminator.hidden=[256]"],
    "order_reversed": ["loss=wasserstein", *rates(0.01, 0)],
    "mode_collapse": ["latent=uniform", "latent.bound=1.0e-6"],  # G cannot tell one z from another
    "oscillation": ["k=20", "g_steps=20", *rates(0.03, 0.03)],
    "blow_up": ["optim=sgd", "optim/schedule=constant", *rates(0.5, 0.5)],
}


def warnings_in(caplog):
    """The logged warnings."""
    return [r.getMessage() for r in caplog.records if r.name == "gan.training.diagnosis" and r.levelname == "WARNING"]


def diagnosis(game):
    return next(c for c in game.trainer.callbacks if isinstance(c, Diagnosis))


def curves(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    return events


@pytest.mark.parametrize("symptom", FAILING)
def test_failing_run_gets_the_warning_of_its_symptom(configure, run_training, caplog, symptom):
    game = run_training(
        configure(*SHORT, *FAILING[symptom], "trainer.max_steps=200", "logger=none", "~callbacks.checkpoint")
    )
    it = diagnosis(game).symptoms[symptom]
    lines = [line for line in warnings_in(caplog) if f": {it.title}: " in line]
    assert lines, warnings_in(caplog)
    assert lines[0].endswith(f". What usually helps: {it.helps}")
    assert "\n" not in lines[0]


@pytest.mark.slow
def test_healthy_run_gets_no_warning(configure, run_training, caplog):
    """Its first samples are all similar, so mode collapse needs more checks than in the runs above."""
    patient = f"{OWN}.symptoms.mode_collapse.checks=30"
    game = run_training(configure(*SHORT, patient, "trainer.max_steps=600", "logger=none", "~callbacks.checkpoint"))
    assert warnings_in(caplog) == []
    measured = [
        check.values["variety/samples"] for check in diagnosis(game).history.latest if "variety/samples" in check.values
    ]
    assert len(measured) == 15
    assert max(measured) > 1.2 * measured[0] > 2


def test_no_warning_during_the_warm_up(configure, run_training, caplog):
    failing = [*SHORT, *FAILING["discriminator_won"], "trainer.max_steps=80", "logger=none", "~callbacks.checkpoint"]
    run_training(configure(*failing, f"{OWN}.warm_up=60"))
    assert warnings_in(caplog) == []  # two checks remain, and three are needed
    run_training(configure(*failing, f"{OWN}.warm_up=50"))
    (line,) = warnings_in(caplog)
    assert line.startswith("iteration 80: D has won: D(x) ")
    assert " since iteration 50. What" in line


@pytest.mark.parametrize("words", [["k=3"], ["optim=sgd2014", "model=maxout", "model.discriminator.hidden=[16,16]"]])
def test_diagnosis_does_not_change_the_training(configure, run_training, words):
    common = ["trainer.max_steps=60", "logger=none", "~callbacks.sample_grids", "ema.decay=0.9", *words]
    watched = run_training(
        configure(*common, f"{OWN}.every_n_batches=5", f"{OWN}.samples_every_n_batches=10", folder="a")
    )
    state = torch.get_rng_state()
    alone = run_training(configure(*common, "~callbacks.diagnosis", folder="b"))
    assert_same_bits(weights(watched), weights(alone))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [1, 47, 50, 75])
def test_resumed_run_logs_the_same_warnings(configure, run_training, tmp_path, caplog, stop_at):
    """Resumed in the warm-up, between two checks, at the warning and after it: the warning is not repeated."""
    words = [*SHORT, *FAILING["discriminator_won"], "trainer.max_steps=120", f"{OWN}.samples_every_n_batches=10"]
    run_training(configure(*words, folder="whole"))
    expected = warnings_in(caplog)
    assert [line.split(": ")[:2] for line in expected] == [
        ["iteration 50", "D has won"],
        ["iteration 100", "mode collapse"],
    ]
    caplog.clear()

    cfg, path = configure(*words, folder="first"), tmp_path / "stopped.ckpt"
    first = build(cfg)
    prepare(first, cfg)
    first.trainer.callbacks.append(StopAt(stop_at, path))
    with pytest.raises(StopAt.StoppedError):
        first.trainer.fit(first.module, first.data)
    rest = run_training(configure(*words, f"ckpt_path={path}", folder="rest"))
    assert warnings_in(caplog) == expected

    whole, again = (curves(tmp_path / name) for name in ("whole", "rest"))
    for name in diagnosis(rest).symptoms:
        points = [(e.step, e.value) for e in whole.Scalars(f"diagnosis/{name}") if e.step > stop_at]
        assert [(e.step, e.value) for e in again.Scalars(f"diagnosis/{name}")] == points
    assert [check.iteration for check in diagnosis(rest).history.early] == [0, 10, 20]


def test_resumed_run_has_the_same_history(configure, run_training, tmp_path):
    """The history of a resumed run equals that of an uninterrupted one."""
    words = [*SHORT, "trainer.max_steps=150", "logger=none", "k=2"]
    whole = diagnosis(run_training(configure(*words, folder="whole")))
    cfg, path = configure(*words, folder="first"), tmp_path / "stopped.ckpt"
    first = build(cfg)
    prepare(first, cfg)
    first.trainer.callbacks.append(StopAt(65, path))
    with pytest.raises(StopAt.StoppedError):
        first.trainer.fit(first.module, first.data)
    rest = diagnosis(run_training(configure(*words, f"ckpt_path={path}", folder="rest")))
    assert rest.history == whole.history
    assert len(rest.history.latest) == rest.kept == 12


def test_warnings_are_logged_to_tensorboard(configure, run_training, tmp_path, caplog):
    game = run_training(configure(*SHORT, *FAILING["discriminator_won"], "trainer.max_steps=80"))
    events = curves(tmp_path / "run")
    points = [(e.step, e.value) for e in events.Scalars("diagnosis/discriminator_won")]
    assert points == [(30, 0), (40, 0), (50, 1), (60, 1), (70, 1), (80, 1)]
    for name in diagnosis(game).symptoms.keys() - {"discriminator_won"}:
        assert {e.value for e in events.Scalars(f"diagnosis/{name}")} == {0}
    (text,) = events.Tensors("diagnosis/text_summary")
    assert text.step == 50
    assert f"iteration 50: {text.tensor_proto.string_val[0].decode()}" == warnings_in(caplog)[0]


class Sometimes(Symptom):
    """A symptom that is present at given checks."""

    title, helps = "it", "this"

    def __init__(self, seen):
        super().__init__(checks=1)
        self.seen = iter(seen)

    def find(self, latest, early):
        return "here" if next(self.seen) == "x" else None


def test_warning_repeats_only_after_the_symptom_clears(caplog):
    it = Diagnosis(Pixels(), {"it": Sometimes("..xx.x..x...x....")}, checks_to_clear=3)
    trainer = SimpleNamespace(is_global_zero=True, loggers=[])
    for iteration in range(17):
        it.history.latest = [iteration]
        it.judge(trainer, SimpleNamespace(iteration=iteration))
    assert warnings_in(caplog) == [
        "iteration 2: it: here. What usually helps: this",
        "iteration 11: no longer: it",
        "iteration 12: it: here. What usually helps: this",
        "iteration 15: no longer: it",
    ]


def test_feature_extractor_is_that_of_the_run_if_ready(configure, run_training):
    words = ["trainer.max_steps=1", "logger=none", "callbacks.sample_grids=null"]
    assert isinstance(diagnosis(run_training(configure(*words))).net, Shipped)
    unready = run_training(configure(*words, "features=trained", "features.cache=/nowhere"))
    assert isinstance(diagnosis(unready).net, Pixels)
    game = run_training(configure(*words, "features=mnist"))  # expects 28×28: images are resized
    assert diagnosis(game).net.of == "mnist"
    assert isinstance(extractor_for(SimpleNamespace(channels=3, image_size=28), Shipped("mnist")), Pixels)
    assert isinstance(extractor_for(game.data, Trained("/nowhere")), Pixels)


def test_endless_data_is_diagnosed_without_variety(run_training, tmp_path, caplog):
    words = ["data=gaussian", "latent.dim=1", "model=affine", "trainer=cpu", "logger=none", "trainer.max_steps=60"]
    words += ["callbacks=one_dimension", f"{OWN}.every_n_batches=10", f"{OWN}.samples_every_n_batches=20"]
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", [*words, f"{OWN}.warm_up=10", f"output_dir={tmp_path}"])
    latest = diagnosis(run_training(cfg)).history.latest
    assert [check.iteration for check in latest] == [20, 30, 40, 50, 60]
    assert all("D(x)" in check.values and "variety/samples" not in check.values for check in latest)
    assert warnings_in(caplog) == []


@pytest.mark.slow
@pytest.mark.processes
def test_several_processes_log_each_warning_once(tmp_path):
    small = ["model.generator.hidden=[32]", "trainer.max_steps=60", "output_dir=two", "data.batch_size=32"]
    words = [*SHORT, *FAILING["discriminator_won"], "latent.dim=8", *small, "trainer=ddp", "trainer.accelerator=cpu"]
    output = finish(launch(tmp_path, *words))
    assert output.count("iteration 50: D has won: ") == 1
    assert len(curves(tmp_path / "two").Scalars("diagnosis/discriminator_won")) == 4


def test_diagnosis_and_single_symptoms_can_be_turned_off(configure):
    game = build(configure("~callbacks.diagnosis"))
    assert not any(isinstance(c, Diagnosis) for c in game.trainer.callbacks)
    every = list(diagnosis(build(configure())).symptoms)
    left = build(configure(f"~{OWN}.symptoms.oscillation", f"~{OWN}.symptoms.mode_collapse"))
    assert list(diagnosis(left).symptoms) == [name for name in every if name not in ("oscillation", "mode_collapse")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"every_n_batches": 0}, "every_n_batches must be a whole number of at least 1, got 0"),
        ({"samples": 1}, "samples must be a whole number of at least 2, got 1"),
        (
            {"samples_every_n_batches": 800},
            "must be at most 750, so that mode_collapse has 2 measurements in its 30 checks",
        ),
        ({"every_n_batches": 30}, "samples_every_n_batches must be a multiple of every_n_batches=30, got 500"),
    ],
)
def test_invalid_options_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        Diagnosis(Pixels(), {"mode_collapse": ModeCollapse()}, **words)


def test_warning_does_not_break_the_progress_bar(monkeypatch):
    """On a terminal, the bar is cleared, the line is written, and the bar is redrawn below it."""
    import io
    import sys

    from tqdm import tqdm

    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    handler = logging.StreamHandler(terminal)
    logging.getLogger("gan.training.diagnosis").addHandler(handler)
    try:
        with tqdm(total=10, file=terminal, bar_format="{desc}", desc="bar") as bar:
            trainer = SimpleNamespace(is_global_zero=True, loggers=[])
            Diagnosis.tell(trainer, SimpleNamespace(iteration=1234), "it")
            bar.refresh()
    finally:
        logging.getLogger("gan.training.diagnosis").removeHandler(handler)
    before, after = terminal.getvalue().split("iteration 1,234: it\n")
    assert before.endswith("\r")  # the bar's line is empty
    assert before.count("bar") == 1
    assert "bar" in after
