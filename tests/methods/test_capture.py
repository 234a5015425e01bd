"""Captured updates against uncaptured ones. On a CPU, a stand-in for a CUDA graph runs the update at each replay."""

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
    # SGD: Adam and batch normalization would amplify the rounding of the rates
    ["method=bigan", "optim=sgd", *(f"model.{name}.hidden=[16,16]" for name in ("generator", "discriminator"))],
    ["method=bigan", "optim=sgd", "optim.simultaneous=true", "model.discriminator.hidden=[16,16]"],
    *(["method=" + name, "latent.dim=4"] for name in ("vae", "autoencoder", "adversarial_autoencoder", "gmmn")),
]


class ReplayStandIn:
    """Stand-in for a CUDA graph: recording does nothing, and each replay runs the update."""

    def rehearse(self, take):
        return take()

    def record(self, take):
        return take


class FailingRecorder(ReplayStandIn):
    def record(self, take):
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        finally:  # as torch's context manager does
            raise RuntimeError("a previous error during capture")


def fit_recorded(cfg, recorder=None, *callbacks):
    """The experiment after its fit; ``recorder`` captures its updates."""
    game = build(cfg)
    prepare(game, cfg)
    if recorder is not None:
        start = game.module.on_train_start

        def begin():
            start()
            game.module.recordings = Recordings(game.module, lambda: recorder)

        game.module.on_train_start = begin
        game.module.on_train_end = lambda: None  # keeps the recordings, which the tests read
    game.trainer.callbacks.extend(callbacks)
    game.trainer.fit(game.module, game.data, ckpt_path=cfg.ckpt_path, weights_only=True)
    return game


def difference(a, b):
    """The largest difference of two runs' weights and EMA weights, each relative to its largest weight or 1."""
    a, b = a.module.state_dict(), b.module.state_dict()
    assert a.keys() == b.keys()
    return max(((a[k].double() - b[k].double()).abs().max() / b[k].double().abs().max().clamp(min=1)).item() for k in a)


@pytest.mark.parametrize("choices", CHOICES, ids=" ".join)
def test_captured_updates_equal_uncaptured_ones(configure, choices):
    cfg = configure(*SMALL, *choices, "trainer.max_epochs=4")
    plain, recorded = fit_recorded(cfg), fit_recorded(cfg, ReplayStandIn())
    assert all(recording.replay is not None for recording in recorded.module.recordings.kinds.values())
    # The learning rates are float32 on the device; such a difference can flip the rounding of a weight to bfloat16.
    assert difference(recorded, plain) < (1e-4 if cfg.trainer.precision == "bf16-mixed" else 2e-6)
    rates = [[g["lr"] for o in game.trainer.optimizers for g in o.param_groups] for game in (plain, recorded)]
    assert rates[0] == rates[1]
    assert all(isinstance(rate, float) for rate in rates[1])


class SaveAt(Callback):
    def __init__(self, minibatch, path):
        self.iteration, self.path = minibatch, path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.iteration == self.iteration:
            trainer.save_checkpoint(self.path)


def test_resumed_captured_run_equals_the_uninterrupted_one(configure, tmp_path):
    choices = [*SMALL, "k=2", "trainer.max_epochs=4"]
    path = tmp_path / "stopped.ckpt"
    whole = fit_recorded(configure(*choices, folder="whole"), ReplayStandIn(), SaveAt(15, path))
    groups = [g for state in torch.load(path, weights_only=True)["optimizer_states"] for g in state["param_groups"]]
    assert all(isinstance(group["lr"], float) and not group["capturable"] for group in groups)
    rest = fit_recorded(configure(*choices, f"ckpt_path={path}", folder="rest"), ReplayStandIn())
    assert difference(rest, whole) == 0


def test_report_is_not_overwritten_by_the_next_replay():
    """A graph writes its results over those of the previous replay."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    written = torch.zeros(())
    recording = Recording(lambda batch: {"mean": written.copy_(batch.images.mean())}, [optimizer], ReplayStandIn())
    reports = [recording(Batch(images=torch.full((4,), float(n)))) for n in range(WARM_UP + 3)]
    assert [report["mean"].item() for report in reports[WARM_UP:]] == [WARM_UP + n for n in range(3)]


def test_update_is_captured_once_after_the_warm_up():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    calls, recordings = [], []

    class Counted(ReplayStandIn):
        def record(self, take):
            recordings.append(len(calls))
            return take

    def take_step(batch):
        calls.append(batch.images.item())
        return {"x": batch.images}

    recording = Recording(take_step, [optimizer], Counted())
    for value in range(6):
        recording(Batch(images=torch.tensor(float(value))))
    assert recordings == [WARM_UP]
    assert calls == [0, 1, 2, 3, 4, 5]


def test_replay_reads_the_learning_rate_from_the_device():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = LambdaLR(optimizer, lambda update: 0.5**update)
    seen = []

    def take_step(batch):
        weight.grad = torch.ones(1)
        optimizer.step()
        seen.append(optimizer.param_groups[0]["lr"])
        return {"weight": weight.detach()}

    recording = Recording(take_step, [optimizer], ReplayStandIn())
    for _ in range(6):
        recording(Batch(images=torch.zeros(1)))
        schedule.step()
    assert all(isinstance(rate, torch.Tensor) for rate in seen)
    assert weight.item() == pytest.approx(-sum(0.5**n for n in range(6)))


def test_learning_rate_is_restored_after_an_error():
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


def test_failed_capture_runs_uncaptured_and_warns_once(configure, caplog):
    cfg = configure(*SMALL, "trainer.max_epochs=2")
    with caplog.at_level(logging.WARNING, logger="gan"):
        recorded = fit_recorded(cfg, FailingRecorder())
    lines = [r.getMessage() for r in caplog.records if "trainer.capture" in r.getMessage()]
    assert lines == [
        "trainer.capture: the update of discriminator cannot be recorded "
        "(operation not permitted when stream is capturing): step by step."
    ]
    assert difference(recorded, fit_recorded(cfg)) < 2e-6


def test_error_in_the_update_itself_is_raised():
    def take_step(batch):
        raise RuntimeError("shapes do not fit")

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    with pytest.raises(RuntimeError, match="shapes") as raised:
        Recording(take_step, [optimizer], ReplayStandIn())(Batch(images=torch.zeros(1)))
    assert not isinstance(raised.value, NotRecordableError)


def test_capture_on_a_cpu_warns_and_changes_no_bit(configure, caplog):
    with caplog.at_level(logging.WARNING, logger="gan"):
        asked = fit_recorded(configure(*SMALL, "trainer.max_epochs=1", "trainer.capture=true"))
    assert [r.getMessage() for r in caplog.records] == [
        "trainer.capture: it needs an NVIDIA GPU, and this run is on the cpu: step by step."
    ]
    assert asked.module.recordings is None
    assert difference(asked, fit_recorded(configure(*SMALL, "trainer.max_epochs=1"))) == 0


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
def test_reasons_why_capture_is_unavailable(configure, monkeypatch, choices, precision, why):
    game = fit_recorded(configure(*SMALL, "trainer.max_steps=2", *choices))
    monkeypatch.setattr(type(game.module), "device", torch.device("cuda"))
    monkeypatch.setattr(type(game.trainer), "precision", precision)
    found = capture_unavailable(game.module, game.trainer)
    assert (found is None) if why is None else (why in found)


def test_capture_is_unavailable_with_an_unfused_restored_optimizer(configure, monkeypatch):
    """As after 16-mixed: the optimizer's state from the checkpoint counts, not its arguments."""
    game = fit_recorded(configure(*SMALL, "trainer.max_steps=2"))
    monkeypatch.setattr(type(game.module), "device", torch.device("cuda"))
    optimizer = game.trainer.optimizers[1]
    state = optimizer.state_dict()
    state["param_groups"][0]["fused"] = False
    optimizer.load_state_dict(state)
    assert (
        capture_unavailable(game.module, game.trainer) == "Adam reads its learning rate on the host without fused=true"
    )


def test_optimizer_is_capturable_only_during_capture():
    """torch warns when a capturable optimizer takes a step outside a capture."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rehearsed, recorded = [], []

    class Apart(ReplayStandIn):
        def rehearse(self, take):
            return take()

        def record(self, take):
            take()
            return lambda: None

    def take_step(batch):
        (rehearsed if len(rehearsed) < WARM_UP else recorded).append(optimizer.param_groups[0]["capturable"])
        return {"x": torch.zeros(())}

    recording = Recording(take_step, [optimizer], Apart())
    for _ in range(WARM_UP + 1):
        recording(Batch(images=torch.zeros(1)))
    assert rehearsed == [False] * WARM_UP
    assert recorded == [True]
    assert optimizer.param_groups[0]["capturable"] is False


def test_capture_error_mode_is_thread_local(monkeypatch):
    """A thread that pins memory would break a capture in the global mode."""
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


def test_capture_is_unavailable_with_optimizer_step_callbacks(configure, monkeypatch):
    class Counts(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            pass

    cfg = configure(*SMALL, "trainer.max_steps=2", "callbacks=default")
    game = fit_recorded(cfg)
    monkeypatch.setattr(type(game.module), "device", torch.device("cuda"))
    assert capture_unavailable(game.module, game.trainer) is None  # the usual callbacks do not
    game.trainer.callbacks.append(Counts())
    assert capture_unavailable(game.module, game.trainer) == "Counts is to see each optimizer step"


def test_recordings_are_released_at_the_end(configure):
    game = build(cfg := configure(*SMALL, "trainer.max_steps=2"))
    prepare(game, cfg)
    game.module.recordings = Recordings(game.module, ReplayStandIn)
    game.module.on_train_end()
    assert game.module.recordings is None
