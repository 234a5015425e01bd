"""16-mixed on the CPU with the classes of a GPU run: the gradient scale is part of the checkpoint."""

import warnings

import pytest
import torch
from pytorch_lightning.plugins.precision import MixedPrecision

from gan.app.prepare import prepare
from gan.runs.build import build
from tests.test_resume import StopAt, assert_same_bits, weights

SMALL = ["trainer.max_epochs=2", "data.batch_size=128", "callbacks=none", "logger=none"]  # 10 batches an epoch


def half(cfg, init_scale):
    """An experiment in float16 whose gradient scale grows after every five steps without overflow."""
    cfg.trainer.precision = "16-mixed"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fp16 is not supported on CPU")
        game = build(cfg)
    prepare(game, cfg)
    scaler = torch.amp.GradScaler("cpu", init_scale=init_scale, growth_interval=5)
    game.trainer.strategy.precision_plugin = MixedPrecision("16-mixed", "cpu", scaler)
    return game, scaler


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [1, 7, 10])
@pytest.mark.parametrize("init_scale", [2.0**10, 2.0**30])  # the second one overflows at first
def test_resumed_run_has_the_same_gradient_scale_and_weights(configure, tmp_path, init_scale, stop_at):
    whole, scaler = half(configure(*SMALL, folder="whole"), init_scale)
    whole.trainer.fit(whole.module, whole.data)
    path = tmp_path / "stopped.ckpt"
    first, _ = half(configure(*SMALL, folder="first"), init_scale)
    first.trainer.callbacks.append(StopAt(stop_at, path))
    with pytest.raises(StopAt.StoppedError):
        first.trainer.fit(first.module, first.data)
    rest, resumed = half(configure(*SMALL, f"ckpt_path={path}", folder="rest"), init_scale)
    rest.trainer.fit(rest.module, rest.data, ckpt_path=path, weights_only=True)
    assert_same_bits(weights(whole), weights(rest))
    assert resumed.state_dict() == scaler.state_dict()
    assert scaler.get_scale() != init_scale


def test_overflowing_steps_are_skipped_without_warnings(configure):
    """torch warns if a schedule advances without an optimizer step; a warning fails this test."""
    game, scaler = half(configure(*SMALL, "trainer.max_steps=4", folder="run"), 2.0**60)
    before = [parameter.detach().clone() for parameter in game.module.discriminator.parameters()]
    game.trainer.fit(game.module, game.data)
    assert scaler.get_scale() < 2.0**60
    assert game.module.iteration == 4
    assert all(torch.equal(a, b) for a, b in zip(before, game.module.discriminator.parameters(), strict=True))
