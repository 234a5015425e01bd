"""Moment matching: the discrepancy by hand and by a second formula, what a step moves, resume."""

import math

import pytest
import torch

from gan.core.errors import UserError
from gan.methods.gmmn import squared_discrepancy
from gan.methods.sampler import Sampler
from gan.runs.build import build
from tests.test_resume import check_resume

SMALL = ["method=gmmn", "data.batch_size=200", "latent.dim=4", "logger=none"]


def test_discrepancy_by_hand():
    """One point each, at distance 2: 1 + 1 - 2 exp(-4 / 2 σ²) for each width."""
    a, b = torch.tensor([[1.0, 1.0]]), torch.tensor([[3.0, 1.0]])
    expected = sum(2 - 2 * math.exp(-4 / (2 * width**2)) for width in (1.0, 3.0))
    assert squared_discrepancy(a, b, [1.0, 3.0]).item() == pytest.approx(expected, rel=1e-5)
    assert squared_discrepancy(a, a, [1.0]).item() == 0


def test_discrepancy_is_that_of_all_pairs():
    torch.manual_seed(0)
    a, b = torch.rand(7, 3), torch.rand(9, 3) + 0.3

    def mean(x, y):
        return (torch.cdist(x, y).square() / -2 / 0.25).exp().mean()

    expected = mean(a, a) + mean(b, b) - 2 * mean(a, b)
    assert squared_discrepancy(a, b, [0.5]).item() == pytest.approx(expected.item(), rel=1e-3)


def test_a_distant_shift_of_both_changes_nothing():
    a, b = torch.rand(7, 3), torch.rand(7, 3)
    near, far = (squared_discrepancy(a + shift, b + shift, [0.5]).item() for shift in (0, 50))
    assert far == pytest.approx(near, rel=1e-2)


def test_only_the_generator_moves(configure, run_training):
    words = [*SMALL, "trainer.max_steps=1", "callbacks=none", "latent=learned", "latent.points=9", "auxiliary=none"]
    game = run_training(configure(*words))
    before = build(configure(*words, folder="before")).module.state_dict()
    state = game.module.state_dict()
    names = {name.partition(".")[0] for name in state if not state[name].equal(before[name])}
    assert names == {"generator", "generator_ema", "latent"}


def test_training_lowers_the_discrepancy(configure, run_training):
    words = [*SMALL, "model.generator.hidden=[64]", "recipe.lr=3e-3", "callbacks=none"]
    game = run_training(configure(*words, "trainer.max_epochs=30"))
    images = game.data.splits["train"].images[:500].flatten(1) / 255
    found = []
    for method in (build(configure(*words)).module, game.module):
        made = Sampler(method).sample("raw", torch.randn(500, 4, generator=torch.Generator().manual_seed(0)))
        found.append(squared_discrepancy(made.flatten(1), images, [0.5, 1.0, 2.0, 4.0, 8.0]).sqrt().item())
    assert found[1] < 0.5 * found[0]


def test_resumed_run_equals_the_uninterrupted_one(configure, run_training, tmp_path):
    choices = [*SMALL, "logger=tensorboard", "trainer.max_epochs=2", "callbacks.monitor.every_n_batches=4"]
    whole = run_training(configure(*choices, folder="whole"))
    check_resume(configure, run_training, tmp_path, choices, whole, stop_at=7)


def test_widths_must_be_positive(configure):
    with pytest.raises(UserError, match=r"method.widths must be a number above 0, got -1"):
        build(configure(*SMALL, "method.widths=[1,-1]"))
