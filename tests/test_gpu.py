"""The documented guarantees on a GPU; where possible the same tests run on the CPU, too."""

import logging
import math

import pytest
import torch

from benchmarks.bench import largest_difference
from gan.app.prepare import prepare
from gan.core.random import forked, reseed
from gan.data.digits import Digits
from gan.evaluation.evaluate import evaluate
from gan.evaluation.reference import load_reference
from gan.methods.capture import CudaGraph
from gan.metrics import DensityCoverage, Frechet, InceptionScore, Kernel, Memorization, Parzen, PrecisionRecall
from gan.metrics.features import Trained
from gan.metrics.features.classifier import Recipe, accuracy, fit
from gan.networks.layers import Dropout
from gan.runs.build import build, part
from gan.runs.run import open_run
from tests.methods.test_capture import ReplayStandIn, SaveAt, fit_recorded
from tests.test_resume import StopAt, assert_same_bits, weights

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: torch.cuda.is_available() is False")
NO_BFLOAT16 = pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.get_device_capability() < (8, 0),
    reason="no GPU that computes in bfloat16 (compute capability 8.0)",
)


def gpu(*values, also=()):
    return pytest.param(*values, marks=[pytest.mark.gpu, NO_GPU, *also])


DEVICES = pytest.mark.parametrize("device", ["cpu", gpu("cuda")])
PLACES = pytest.mark.parametrize(
    ("device", "precision"),
    [
        *(("cpu", "32-true"), ("cpu", "bf16-mixed"), gpu("cuda", "32-true"), gpu("cuda", "16-mixed")),
        gpu("cuda", "bf16-mixed", also=[NO_BFLOAT16]),
    ],
)
SMALL = ["trainer.max_epochs=3", "data.batch_size=128", "callbacks.monitor.every_n_batches=4", "ema.decay=0.99"]
# 1397 // 128 = 10 batches an epoch.


@pytest.fixture(autouse=True)
def repeatable(monkeypatch):
    """The settings that Lightning makes before training, needed here from the start."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def words(device, precision="32-true"):
    return [*SMALL, f"trainer={'gpu' if device == 'cuda' else 'cpu'}", f"trainer.precision={precision}"]


@PLACES
def test_training_is_finite_and_reproducible(configure, run_training, device, precision):
    games = [run_training(configure(*words(device, precision), folder=name)) for name in ("a", "b")]
    assert_same_bits(weights(games[0]), weights(games[1]))
    assert games[0].trainer.strategy.root_device.type == device
    monitor = next(c for c in games[0].trainer.callbacks if type(c).__name__ == "Monitor")
    assert all(math.isfinite(value) for name, value in monitor.latest.items() if "gradient" not in name)
    assert 0.05 < monitor.latest["D(x)"] < 0.99


@pytest.mark.slow
@PLACES
@pytest.mark.parametrize("stop_at", [7, 20])
def test_resumed_run_equals_the_uninterrupted_one(configure, run_training, tmp_path, device, precision, stop_at):
    choices = [*words(device, precision), "k=2", "optim.gradient_clip=0.5"]
    whole = run_training(configure(*choices, folder="whole"))
    path = tmp_path / "stopped.ckpt"
    first = build(cfg := configure(*choices, folder="first"))
    prepare(first, cfg)
    first.trainer.callbacks.append(StopAt(stop_at, path))
    with pytest.raises(StopAt.StoppedError):
        first.trainer.fit(first.module, first.data)
    torch.manual_seed(12345)
    rest = run_training(configure(*choices, f"ckpt_path={path}", folder="rest"))
    assert_same_bits(weights(whole), weights(rest))


@pytest.mark.slow
@DEVICES
@pytest.mark.parametrize("model", ["mlp", "maxout", "mlp_bn"])
def test_captured_updates_equal_uncaptured_ones(configure, run_training, tmp_path, caplog, device, model):
    """Exact on the CPU: with 16 batches and a power of two, all learning rates are exact in float32."""
    small = ["model.discriminator.hidden=[16,16]"] if model == "maxout" else []
    choices = [*words(device), f"model={model}", *small, "recipe.lr=0.0009765625", "trainer.max_steps=16"]
    plain = run_training(configure(*choices, folder="plain"))
    path = tmp_path / "stopped.ckpt"

    def recorded(*more, callbacks=(), folder):
        # On the CPU, a stand-in for the graph runs the update again.
        return fit_recorded(
            configure(*choices, *more, folder=folder), ReplayStandIn() if device == "cpu" else CudaGraph(), *callbacks
        )

    with caplog.at_level(logging.WARNING, logger="gan"):
        whole = recorded(callbacks=[SaveAt(9, path)], folder="whole")
        rest = recorded(f"ckpt_path={path}", folder="rest")
    assert not [r for r in caplog.records if "trainer.capture" in r.getMessage()]
    assert all(recording.replay is not None for recording in whole.module.recordings.kinds.values())
    assert_same_bits(weights(rest), weights(whole))
    if device == "cpu":
        assert_same_bits(weights(plain), weights(whole))
    else:  # a library may choose another matrix product algorithm during capture
        assert largest_difference(weights(plain), weights(whole)) < 1e-5


@pytest.mark.gpu
@NO_GPU
def test_capture_option_captures_without_warning(configure, run_training, caplog):
    with caplog.at_level(logging.WARNING, logger="gan"):
        game = run_training(configure(*words("cuda"), "trainer.capture=true"))
    assert not [r for r in caplog.records if "trainer.capture" in r.getMessage()]
    assert game.module.recordings is None  # released at the end


METRICS = [Frechet(), Kernel(), InceptionScore(), PrecisionRecall(), DensityCoverage(), Memorization(), Parzen()]


@DEVICES
def test_scores_equal_those_of_the_cpu(configure, run_training, device):
    run_training(cfg := configure(*words(device)))
    found = []
    for place in (device, "cpu"):
        run = open_run(cfg.output_dir, device=place)
        where = next(run.module.parameters()).device
        reference = load_reference(run.load_data(), part(cfg, "features"), where, METRICS)
        rows, samples = evaluate(run.sampler, reference, METRICS, ["raw", "ema"], num_samples=200)
        assert reference.images("test").features.device.type == where.type
        found.append(({(row.measure.name, row.generator): row.measure.value for row in rows}, samples))
    assert found[0][0] == pytest.approx(found[1][0], rel=2e-3, abs=5e-3)
    for name, images in found[0][1].items():
        assert torch.allclose(images, found[1][1][name], atol=1e-4)


@DEVICES
def test_random_numbers_depend_only_on_the_seed(device):
    """Dropout masks and noise depend only on the seed, and ``forked`` restores the random state."""
    place = torch.device(device)
    layer, x = Dropout(0.3).train(), torch.ones(64, 1000, device=place)
    reseed(place, 1)
    expected = [layer(x), torch.randn(5, device=place)]
    reseed(place, 1)
    first = layer(x)
    with forked(place):
        reseed(place, 2)
        assert not torch.equal(layer(x), first)
    assert_same_bits(dict(enumerate(expected)), {0: first, 1: torch.randn(5, device=place)})
    assert first.device.type == device
    assert (first == 0).double().mean().item() == pytest.approx(0.3, abs=0.01)


@DEVICES
def test_classifier_is_trained_on_the_device(tmp_path, device):
    digits = Digits(batch_size=64, image_size=8, channels=1, classes=10, seed=1)
    digits.setup()
    place, recipe = torch.device(device), Recipe(epochs=5, batch_size=64)
    train, test = digits.splits["train"][:800], digits.splits["test"]
    before = torch.get_rng_state(), torch.cuda.get_rng_state() if device == "cuda" else None
    nets = [fit(train.images, train.labels, 10, recipe, device=place) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert device == "cpu" or torch.equal(torch.cuda.get_rng_state(), before[1])
    assert_same_bits(nets[0].state_dict(), nets[1].state_dict())
    assert next(nets[0].parameters()).device.type == device
    assert accuracy(nets[0], test.images, test.labels) > 0.9
    reference = load_reference(digits, Trained(str(tmp_path), epochs=1), place, [Frechet()])
    assert reference.images("test").features.device.type == device
    again = load_reference(digits, Trained(str(tmp_path), epochs=1), torch.device("cpu"), [Frechet()])
    assert again.net.name == reference.net.name
    assert torch.allclose(again.images("test").features, reference.images("test").features.cpu(), atol=1e-3)
