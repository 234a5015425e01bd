"""Runs made to fail in each way are told so, healthy ones are left alone, and nothing else changes."""

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
from gan.training.symptoms import Symptom
from tests.test_end_to_end import finish, launch
from tests.test_resume import StopAt, assert_same_bits, weights

OWN = "callbacks.diagnosis"
#: looks five times as often, so that runs of seconds show what others show in minutes
SHORT = [
    *(f"{OWN}.every_n_batches=10", f"{OWN}.warm_up=20", f"{OWN}.samples_every_n_batches=20"),
    *(f"{OWN}.symptoms.mode_collapse.checks=8", f"{OWN}.checks_to_clear=3"),
    *(f"{OWN}.symptoms.oscillation.checks=12", f"{OWN}.symptoms.oscillation.swings=6"),
    *("optim/schedule=constant", "ema.decay=0", "~callbacks.sample_grids", "model.discriminator.dropout=0"),
]


def rates(generator, discriminator):
    return [f"optim.generator.lr={generator}", f"optim.discriminator.lr={discriminator}"]


FAILING = {
    # One player stands still, so that no rounding decides.
    "discriminator_won": ["loss=minimax", *rates(0, 0.05), "model.discriminator.hidden=[256]"],
    "generator_ahead": rates(0.01, 0),
    "mode_collapse": ["latent=uniform", "latent.bound=1.0e-6"],  # G cannot tell one z from another
    "oscillation": ["k=20", "g_steps=20", *rates(0.03, 0.03)],
    "blow_up": ["optim=sgd", "optim/schedule=constant", *rates(0.5, 0.5)],
}


def told(caplog):
    """What was said, the batch and the symptom of each line."""
    return [r.getMessage() for r in caplog.records if r.name == "gan.training.diagnosis" and r.levelname == "WARNING"]


def diagnosis(game):
    return next(c for c in game.trainer.callbacks if isinstance(c, Diagnosis))


def curves(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    return events


@pytest.mark.parametrize("symptom", FAILING)
def test_a_run_made_to_fail_is_told_so(configure, play, caplog, symptom):
    game = play(configure(*SHORT, *FAILING[symptom], "trainer.max_steps=200", "logger=none", "~callbacks.checkpoint"))
    it = diagnosis(game).symptoms[symptom]
    lines = [line for line in told(caplog) if f": {it.title}: " in line]
    assert lines, told(caplog)
    assert lines[0].endswith(f". What usually helps: {it.helps}")
    assert "\n" not in lines[0]


@pytest.mark.slow
def test_a_healthy_run_is_left_alone(configure, play, caplog):
    """Its first samples are all alike, so a collapse is looked for over a longer stretch than in the runs above."""
    patient = f"{OWN}.symptoms.mode_collapse.checks=30"
    game = play(configure(*SHORT, patient, "trainer.max_steps=600", "logger=none", "~callbacks.checkpoint"))
    assert told(caplog) == []
    measured = [
        look.values["variety/samples"] for look in diagnosis(game).history.latest if "variety/samples" in look.values
    ]
    assert len(measured) == 15
    assert max(measured) > 1.2 * measured[0] > 2


def test_nothing_is_said_before_the_warm_up_is_over(configure, play, caplog):
    failing = [*SHORT, *FAILING["discriminator_won"], "trainer.max_steps=80", "logger=none", "~callbacks.checkpoint"]
    play(configure(*failing, f"{OWN}.warm_up=60"))
    assert told(caplog) == []  # two looks are left, and three are wanted
    play(configure(*failing, f"{OWN}.warm_up=50"))
    (line,) = told(caplog)
    assert line.startswith("iteration 80: D has won: D(x) ")
    assert " since iteration 50. What" in line


@pytest.mark.parametrize("words", [["k=3"], ["optim=sgd2014", "model=maxout", "model.discriminator.hidden=[16,16]"]])
def test_not_a_bit_of_the_training_changes(configure, play, words):
    common = ["trainer.max_steps=60", "logger=none", "~callbacks.sample_grids", "ema.decay=0.9", *words]
    watched = play(configure(*common, f"{OWN}.every_n_batches=5", f"{OWN}.samples_every_n_batches=10", folder="a"))
    state = torch.get_rng_state()
    alone = play(configure(*common, "~callbacks.diagnosis", folder="b"))
    assert_same_bits(weights(watched), weights(alone))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [1, 47, 50, 75])
def test_a_resumed_run_says_the_same(configure, play, tmp_path, caplog, stop_at):
    """From the warm-up, from between two looks, from the very alarm, and after it: it is not said twice."""
    words = [*SHORT, *FAILING["discriminator_won"], "trainer.max_steps=120", f"{OWN}.samples_every_n_batches=10"]
    play(configure(*words, folder="whole"))
    expected = told(caplog)
    assert [line.split(": ")[:2] for line in expected] == [
        ["iteration 50", "D has won"],
        ["iteration 100", "mode collapse"],
    ]
    caplog.clear()

    cfg, path = configure(*words, folder="first"), tmp_path / "stopped.ckpt"
    first = build(cfg)
    prepare(first, cfg)
    first.trainer.callbacks.append(StopAt(stop_at, path))
    with pytest.raises(StopAt.BrokenOffError):
        first.trainer.fit(first.module, first.data)
    rest = play(configure(*words, f"ckpt_path={path}", folder="rest"))
    assert told(caplog) == expected

    whole, again = (curves(tmp_path / name) for name in ("whole", "rest"))
    for name in diagnosis(rest).symptoms:
        points = [(e.step, e.value) for e in whole.Scalars(f"diagnosis/{name}") if e.step > stop_at]
        assert [(e.step, e.value) for e in again.Scalars(f"diagnosis/{name}")] == points
    assert [look.iteration for look in diagnosis(rest).history.early] == [0, 10, 20]


def test_all_that_decides_is_in_the_checkpoint(configure, play, tmp_path):
    """The history of a resumed run is that of an unbroken one, number by number."""
    words = [*SHORT, "trainer.max_steps=150", "logger=none", "k=2"]
    whole = diagnosis(play(configure(*words, folder="whole")))
    cfg, path = configure(*words, folder="first"), tmp_path / "stopped.ckpt"
    first = build(cfg)
    prepare(first, cfg)
    first.trainer.callbacks.append(StopAt(65, path))
    with pytest.raises(StopAt.BrokenOffError):
        first.trainer.fit(first.module, first.data)
    rest = diagnosis(play(configure(*words, f"ckpt_path={path}", folder="rest")))
    assert rest.history == whole.history
    assert len(rest.history.latest) == rest.kept == 12


def test_tensorboard_has_a_text_and_a_curve(configure, play, tmp_path, caplog):
    game = play(configure(*SHORT, *FAILING["discriminator_won"], "trainer.max_steps=80"))
    events = curves(tmp_path / "run")
    points = [(e.step, e.value) for e in events.Scalars("diagnosis/discriminator_won")]
    assert points == [(30, 0), (40, 0), (50, 1), (60, 1), (70, 1), (80, 1)]
    for name in diagnosis(game).symptoms.keys() - {"discriminator_won"}:
        assert {e.value for e in events.Scalars(f"diagnosis/{name}")} == {0}
    (text,) = events.Tensors("diagnosis/text_summary")
    assert text.step == 50
    assert f"iteration 50: {text.tensor_proto.string_val[0].decode()}" == told(caplog)[0]


class Sometimes(Symptom):
    """Seen at the looks that it is told."""

    title, helps = "it", "this"

    def __init__(self, seen):
        super().__init__(checks=1)
        self.seen = iter(seen)

    def find(self, latest, early):
        return "here" if next(self.seen) == "x" else None


def test_an_alarm_is_repeated_only_after_it_has_gone(caplog):
    it = Diagnosis(Pixels(), {"it": Sometimes("..xx.x..x...x....")}, checks_to_clear=3)
    trainer = SimpleNamespace(is_global_zero=True, loggers=[])
    for minibatch in range(17):
        it.history.latest = [minibatch]
        it.judge(trainer, SimpleNamespace(iteration=minibatch))
    assert told(caplog) == [
        "iteration 2: it: here. What usually helps: this",
        "iteration 11: no longer: it",
        "iteration 12: it: here. What usually helps: this",
        "iteration 15: no longer: it",
    ]


def test_the_feature_net_is_the_runs_own_where_it_is_ready(configure, play):
    words = ["trainer.max_steps=1", "logger=none", "callbacks.sample_grids=null"]
    assert isinstance(diagnosis(play(configure(*words))).net, Shipped)
    unready = play(configure(*words, "features=trained", "features.cache=/nowhere"))
    assert isinstance(diagnosis(unready).net, Pixels)
    game = play(configure(*words, "features=mnist"))  # 28×28 of its own: images are resized
    assert diagnosis(game).net.of == "mnist"
    assert isinstance(extractor_for(SimpleNamespace(channels=3, image_size=28), Shipped("mnist")), Pixels)
    assert isinstance(extractor_for(game.data, Trained("/nowhere")), Pixels)


def test_a_game_without_a_set_of_examples_is_watched_too(play, tmp_path, caplog):
    words = ["data=gaussian", "latent.dim=1", "model=affine", "trainer=cpu", "logger=none", "trainer.max_steps=60"]
    words += ["callbacks=one_dimension", f"{OWN}.every_n_batches=10", f"{OWN}.samples_every_n_batches=20"]
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", [*words, f"{OWN}.warm_up=10", f"output_dir={tmp_path}"])
    latest = diagnosis(play(cfg)).history.latest
    assert [look.iteration for look in latest] == [20, 30, 40, 50, 60]
    assert all("D(x)" in look.values and "variety/samples" not in look.values for look in latest)
    assert told(caplog) == []


@pytest.mark.slow
@pytest.mark.processes
def test_several_processes_speak_with_one_voice(tmp_path):
    small = ["model.generator.hidden=[32]", "trainer.max_steps=60", "output_dir=two", "data.batch_size=32"]
    words = [*SHORT, *FAILING["discriminator_won"], "latent.dim=8", *small, "trainer=ddp", "trainer.accelerator=cpu"]
    output = finish(launch(tmp_path, *words))
    assert output.count("iteration 50: D has won: ") == 1
    assert len(curves(tmp_path / "two").Scalars("diagnosis/discriminator_won")) == 4


def test_switched_off(configure):
    game = build(configure("~callbacks.diagnosis"))
    assert not any(isinstance(c, Diagnosis) for c in game.trainer.callbacks)
    left = build(configure(f"~{OWN}.symptoms.oscillation", f"~{OWN}.symptoms.mode_collapse"))
    assert list(diagnosis(left).symptoms) == ["discriminator_won", "generator_ahead", "blow_up"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"every_n_batches": 0}, "every_n_batches must be a whole number of at least 1, got 0"),
        ({"samples": 1}, "samples must be a whole number of at least 2, got 1"),
        ({"every_n_batches": 30}, "samples_every_n_batches must be a multiple of every_n_batches=30, got 500"),
    ],
)
def test_what_cannot_be_is_refused(words, message):
    with pytest.raises(ValueError, match=message):
        Diagnosis(Pixels(), {}, **words)


def test_the_line_leaves_the_progress_bar_whole(monkeypatch):
    """On a terminal the bar is cleared, the line is written, and the bar is drawn again below it."""
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
