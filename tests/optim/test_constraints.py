"""Constraints on weights."""

import pytest
import torch

from gan.optim.constraints import WeightClipping
from gan.runs.build import build
from tests.conftest import composed


def test_weights_beyond_the_limit_are_clipped_in_place():
    weights = torch.tensor([-3.0, -0.1, 0.05, 2.0])
    WeightClipping(0.1)(weights)
    assert weights.tolist() == pytest.approx([-0.1, -0.1, 0.05, 0.1])
    with pytest.raises(ValueError, match="limit must be a number above 0"):
        WeightClipping(0.0)


def test_critic_is_clipped_after_its_step_and_the_generator_is_not(configure, run_training):
    game = run_training(configure("constraint=weight_clipping", "loss=wasserstein", "trainer.max_steps=2"))
    critic, generator = game.module.discriminator, game.module.generator
    assert max(p.detach().abs().max().item() for p in critic.parameters()) == pytest.approx(0.01)
    assert max(p.detach().abs().max().item() for p in generator.parameters()) > 0.011


def test_no_constraint_by_default():
    assert all(player.constraint is None for player in build(composed()).module.players.values())
