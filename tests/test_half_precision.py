"""16-mixed, played on the CPU by the classes that a GPU's run has: the gradients' scale is a part of the game."""

import warnings

import pytest
import torch
from pytorch_lightning.plugins.precision import MixedPrecision

from gan.app.prepare import prepare
from gan.runs.build import build
from tests.test_resume import StopAt, assert_same_bits, weights

SMALL = ["trainer.max_epochs=2", "data.batch_size=128", "callbacks=none", "logger=none"]  # 10 batches an epoch


def half(cfg, init_scale):
    """The game, ready to be played in float16 with a scale that grows after every fifth step that fits."""
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
def test_a_resumed_run_has_the_same_scale_and_the_same_bits(configure, tmp_path, init_scale, stop_at):
    whole, scaler = half(configure(*SMALL, folder="whole"), init_scale)
    whole.trainer.fit(whole.module, whole.data)
    path = tmp_path / "stopped.ckpt"
    first, _ = half(configure(*SMALL, folder="first"), init_scale)
    first.trainer.callbacks.append(StopAt(stop_at, path))
    with pytest.raises(StopAt.BrokenOffError):
        first.trainer.fit(first.module, first.data)
    rest, resumed = half(configure(*SMALL, f"ckpt_path={path}", folder="rest"), init_scale)
    rest.trainer.fit(rest.module, rest.data, ckpt_path=path, weights_only=True)
    assert_same_bits(weights(whole), weights(rest))
    assert resumed.state_dict() == scaler.state_dict()
    assert scaler.get_scale() != init_scale


def test_steps_that_overflow_are_left_out_without_a_word(configure):
    """torch warns of a schedule that goes on without a step; a warning would fail this test."""
    game, scaler = half(configure(*SMALL, "trainer.max_steps=4", folder="run"), 2.0**60)
    before = [parameter.detach().clone() for parameter in game.module.discriminator.parameters()]
    game.trainer.fit(game.module, game.data)
    assert scaler.get_scale() < 2.0**60
    assert game.module.iteration == 4
    assert all(torch.equal(a, b) for a, b in zip(before, game.module.discriminator.parameters(), strict=True))
