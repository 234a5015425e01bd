"""Recorded turns against turns played as they are. A CPU has no graphs: what stands in for one plays again."""

import logging
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.callbacks import Callback
from torch.optim.lr_scheduler import LambdaLR

from gan.app.prepare import prepare
from gan.core.batch import Batch
from gan.methods.capture import (
    WARM_UP,
    CudaGraph,
    NotRecordableError,
    Recording,
    Recordings,
    capture_unavailable,
    rates_on_the_device,
)
from gan.runs.build import build

SMALL = ["data.batch_size=200", "callbacks=none", "logger=none"]  # 6 batches an epoch
CHOICES = [
    ["k=1"],
    ["k=3", "g_steps=2", "penalty=r1", "optim.gradient_clip=0.5"],
    ["model=maxout", "model.discriminator.hidden=[16,16]", "+model.discriminator.max_norm=0.5"],
    ["model=mlp_bn", "optim=adam_width_scaled", "trainer.precision=bf16-mixed"],
]


class Again:
    """Its recordings do nothing when they are made, and everything at each replay."""

    def rehearse(self, play):
        return play()

    def record(self, play):
        return play


class NotAtAll(Again):
    def record(self, play):
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        finally:  # as torch's context manager does
            raise RuntimeError("a previous error during capture")


def played(cfg, recorder=None, *callbacks):
    """The game after its fit, its turns recorded by ``recorder``."""
    game = build(cfg)
    prepare(game, cfg)
    if recorder is not None:
        start = game.module.on_train_start

        def begin():
            start()
            game.module.recordings = Recordings(game.module, lambda: recorder)

        game.module.on_train_start = begin
        game.module.on_train_end = lambda: None  # to look at the recordings
    game.trainer.callbacks.extend(callbacks)
    game.trainer.fit(game.module, game.data, ckpt_path=cfg.ckpt_path, weights_only=True)
    return game


def difference(a, b):
    """The largest one between two games' weights and averages, over the largest weight."""
    a, b = a.module.state_dict(), b.module.state_dict()
    assert a.keys() == b.keys()
    return max(((a[k].double() - b[k].double()).abs().max() / b[k].double().abs().max().clamp(min=1)).item() for k in a)


@pytest.mark.parametrize("choices", CHOICES, ids=" ".join)
def test_recorded_turns_are_the_turns(configure, choices):
    cfg = configure(*SMALL, *choices, "trainer.max_epochs=4")
    plain, recorded = played(cfg), played(cfg, Again())
    assert all(recording.replay is not None for recording in recorded.module.recordings.kinds.values())
    assert difference(recorded, plain) < 2e-6  # the rates are float32 on the device
    rates = [[g["lr"] for o in game.trainer.optimizers for g in o.param_groups] for game in (plain, recorded)]
    assert rates[0] == rates[1]
    assert all(isinstance(rate, float) for rate in rates[1])


class SaveAt(Callback):
    def __init__(self, minibatch, path):
        self.iteration, self.path = minibatch, path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.iteration == self.iteration:
            trainer.save_checkpoint(self.path)


def test_a_resumed_recorded_run_is_the_unbroken_one(configure, tmp_path):
    choices = [*SMALL, "k=2", "trainer.max_epochs=4"]
    path = tmp_path / "stopped.ckpt"
    whole = played(configure(*choices, folder="whole"), Again(), SaveAt(15, path))
    groups = [g for state in torch.load(path, weights_only=True)["optimizer_states"] for g in state["param_groups"]]
    assert all(isinstance(group["lr"], float) and not group["capturable"] for group in groups)
    rest = played(configure(*choices, f"ckpt_path={path}", folder="rest"), Again())
    assert difference(rest, whole) == 0


def test_report_survives_the_next_replay():
    """A graph writes its results where it wrote the last ones."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    written = torch.zeros(())
    recording = Recording(lambda batch: {"mean": written.copy_(batch.images.mean())}, [optimizer], Again())
    reports = [recording(Batch(images=torch.full((4,), float(n)))) for n in range(WARM_UP + 3)]
    assert [report["mean"].item() for report in reports[WARM_UP:]] == [WARM_UP + n for n in range(3)]


def test_the_recording_is_made_once():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    calls, recordings = [], []

    class Counted(Again):
        def record(self, play):
            recordings.append(len(calls))
            return play

    def turn(batch):
        calls.append(batch.images.item())
        return {"x": batch.images}

    recording = Recording(turn, [optimizer], Counted())
    for value in range(6):
        recording(Batch(images=torch.tensor(float(value))))
    assert recordings == [WARM_UP]
    assert calls == [0, 1, 2, 3, 4, 5]


def test_the_rate_is_read_from_the_device_at_each_replay():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = LambdaLR(optimizer, lambda update: 0.5**update)
    seen = []

    def turn(batch):
        weight.grad = torch.ones(1)
        optimizer.step()
        seen.append(optimizer.param_groups[0]["lr"])
        return {"weight": weight.detach()}

    recording = Recording(turn, [optimizer], Again())
    for _ in range(6):
        recording(Batch(images=torch.zeros(1)))
        schedule.step()
    assert all(isinstance(rate, torch.Tensor) for rate in seen)
    assert weight.item() == pytest.approx(-sum(0.5**n for n in range(6)))


def test_rates_come_back_after_an_error():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weight], lr=0.25)
    rate = torch.tensor(3.0)
    group = optimizer.param_groups[0]

    def failing_step():
        with rates_on_the_device(optimizer, [rate]):
            assert group["lr"] is rate
            assert group["capturable"]
            raise KeyError

    with pytest.raises(KeyError):
        failing_step()
    assert (group["lr"], group["capturable"]) == (0.25, False)


def test_what_cannot_be_recorded_is_played_and_said_once(configure, caplog):
    cfg = configure(*SMALL, "trainer.max_epochs=2")
    with caplog.at_level(logging.WARNING, logger="gan"):
        recorded = played(cfg, NotAtAll())
    lines = [r.getMessage() for r in caplog.records if "trainer.capture" in r.getMessage()]
    assert lines == [
        "trainer.capture: the update of discriminator cannot be recorded "
        "(operation not permitted when stream is capturing): step by step."
    ]
    assert difference(recorded, played(cfg)) < 2e-6


def test_an_error_of_the_turn_itself_is_not_hidden():
    def turn(batch):
        raise RuntimeError("shapes do not fit")

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    with pytest.raises(RuntimeError, match="shapes") as raised:
        Recording(turn, [optimizer], Again())(Batch(images=torch.zeros(1)))
    assert not isinstance(raised.value, NotRecordableError)


def test_on_a_cpu_one_line_and_the_same_bits(configure, caplog):
    with caplog.at_level(logging.WARNING, logger="gan"):
        asked = played(configure(*SMALL, "trainer.max_epochs=1", "trainer.capture=true"))
    assert [r.getMessage() for r in caplog.records] == [
        "trainer.capture: it needs an NVIDIA GPU, and this run is on the cpu: step by step."
    ]
    assert asked.module.recordings is None
    assert difference(asked, played(configure(*SMALL, "trainer.max_epochs=1"))) == 0


@pytest.mark.parametrize(
    ("choices", "precision", "why"),
    [
        ([], "32-true", None),
        (["optim=adam_width_scaled", "penalty=r1", "k=2"], "bf16-mixed", None),
        ([], "16-mixed", "16-mixed asks the GPU"),
        (["optim=sgd2014", "optim.momentum=null"], "32-true", "SGD reads its learning rate"),
        (["optim=sgd2014", "optim.simultaneous=false"], "32-true", "the momentum changes on the host"),
        (["optim=sgd"], "32-true", "SGD reads its learning rate on the host without fused=true"),
        (["optim=sgd", "+optim.generator.fused=true", "+optim.discriminator.fused=true"], "32-true", None),
    ],
)
def test_hindrances(configure, monkeypatch, choices, precision, why):
    game = played(configure(*SMALL, "trainer.max_steps=2", *choices))
    monkeypatch.setattr(type(game.module), "device", torch.device("cuda"))
    monkeypatch.setattr(type(game.trainer), "precision", precision)
    found = capture_unavailable(game.module, game.trainer)
    assert (found is None) if why is None else (why in found)


def test_an_optimizer_that_goes_on_unfused_is_a_hindrance(configure, monkeypatch):
    """As after 16-mixed: what a checkpoint says of the optimizer counts, and not what it was built with."""
    game = played(configure(*SMALL, "trainer.max_steps=2"))
    monkeypatch.setattr(type(game.module), "device", torch.device("cuda"))
    optimizer = game.trainer.optimizers[1]
    state = optimizer.state_dict()
    state["param_groups"][0]["fused"] = False
    optimizer.load_state_dict(state)
    assert (
        capture_unavailable(game.module, game.trainer) == "Adam reads its learning rate on the host without fused=true"
    )


def test_only_what_is_recorded_is_told_to_be_capturable():
    """torch warns where a capturable optimizer takes a step that is not recorded."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rehearsed, recorded = [], []

    class Apart(Again):
        def rehearse(self, play):
            return play()

        def record(self, play):
            play()
            return lambda: None

    def turn(batch):
        (rehearsed if len(rehearsed) < WARM_UP else recorded).append(optimizer.param_groups[0]["capturable"])
        return {"x": torch.zeros(())}

    recording = Recording(turn, [optimizer], Apart())
    for _ in range(WARM_UP + 1):
        recording(Batch(images=torch.zeros(1)))
    assert rehearsed == [False] * WARM_UP
    assert recorded == [True]
    assert optimizer.param_groups[0]["capturable"] is False


def test_other_threads_go_on_while_a_graph_is_recorded(monkeypatch):
    """One that pins memory would spoil a recording that minds all of them."""
    asked = {}

    @contextmanager
    def graph(graph, **arguments):
        asked.update(arguments)
        yield

    pretended = {
        **{"Stream": lambda: "side", "current_stream": lambda: "main", "current_device": lambda: 0},
        **{"stream": lambda stream: nullcontext(), "graph": graph, "default_generators": [torch.Generator()]},
        "CUDAGraph": lambda: SimpleNamespace(replay="again"),
    }
    for name, value in pretended.items():
        monkeypatch.setattr(torch.cuda, name, value)
    assert CudaGraph().record(dict) == "again"
    assert asked == {"stream": "side", "capture_error_mode": "thread_local"}


def test_a_callback_that_counts_optimizer_steps_is_a_hindrance(configure, monkeypatch):
    class Counts(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            pass

    cfg = configure(*SMALL, "trainer.max_steps=2", "callbacks=default")
    game = played(cfg)
    monkeypatch.setattr(type(game.module), "device", torch.device("cuda"))
    assert capture_unavailable(game.module, game.trainer) is None  # the usual callbacks do not
    game.trainer.callbacks.append(Counts())
    assert capture_unavailable(game.module, game.trainer) == "Counts is to see each optimizer step"


def test_recordings_are_given_up_at_the_end(configure):
    game = build(cfg := configure(*SMALL, "trainer.max_steps=2"))
    prepare(game, cfg)
    game.module.recordings = Recordings(game.module, Again)
    game.module.on_train_end()
    assert game.module.recordings is None
