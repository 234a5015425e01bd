"""A prior of trained points, and the term that keeps them apart."""

import pytest
import torch

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.core.random import RandomRows
from gan.losses.base import Pair
from gan.losses.spread import Spread
from gan.networks.learned import Learned
from gan.runs.build import build
from gan.runs.run import open_run
from tests.test_resume import check_resume

SMALL = ["latent=learned", "latent.dim=3", "latent.points=7", "model.discriminator.hidden=[16]", "logger=none"]
SMALL += ["model.generator.hidden=[16]", "data.batch_size=200"]


def term(z, **options):
    return Spread(**options).generator(Pair(None, Batch(), Batch(z=z)))


def test_latents_are_the_points_and_noise():
    prior = Learned(2, points=5, deviation=0.01)
    z = prior.draw(RandomRows(generator=torch.Generator().manual_seed(0)), 5000)
    distances = (z[:, None] - prior.points).norm(dim=2)
    assert distances.amin(1).max() < 0.06
    assert (torch.bincount(distances.argmin(1), minlength=5) - 1000).abs().max() < 150
    (gradient,) = torch.autograd.grad(z.sum(), prior.points)
    assert gradient.sum().item() == pytest.approx(10_000)


def test_spread_by_hand():
    """Coordinates of variance 4 / 3 and 1 / 3 and covariance 2 / 3; a third one of variance 0."""
    z = torch.tensor([[2.0, 1.0, 5.0], [0.0, 0.0, 5.0], [2.0, 1.0, 5.0], [0.0, 0.0, 5.0]])
    short = (0 + (1 - (1 / 3 + 1e-4) ** 0.5) + (1 - 1e-2)) / 3
    together = 2 * (2 / 3) ** 2 / 3
    assert term(z).item() == pytest.approx(short + together, rel=1e-5)
    assert term(z, weight=2.0, covariance_weight=3.0).item() == pytest.approx(2 * (short + 3 * together), rel=1e-5)
    assert term(z, target=0.01, covariance_weight=0.0).item() == pytest.approx(0, abs=1e-5)


def test_spread_agrees_with_torch():
    torch.manual_seed(0)
    z = torch.randn(50, 4) @ torch.randn(4, 4)
    covariance = torch.cov(z.T)
    off = covariance - torch.diag(covariance.diagonal())
    expected = (1 - (covariance.diagonal() + 1e-4).sqrt()).relu().mean() + off.square().sum() / 4
    assert term(z).item() == pytest.approx(expected.item(), rel=1e-4)
    assert term(z[:1]).isfinite()


def test_spread_pulls_equal_points_apart():
    points = torch.nn.Parameter(0.01 * torch.randn(20, 3, generator=torch.Generator().manual_seed(0)))
    optimizer = torch.optim.Adam([points], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        term(points).backward()
        optimizer.step()
    covariance = torch.cov(points.detach().T)
    assert covariance.diagonal().min() > 0.95
    assert (covariance - covariance.diagonal().diag()).abs().max() < 0.01


def test_the_player_of_g_trains_the_points_and_d_does_not(configure, run_training):
    for rates, expected in (((0.1, 0.0), {"generator", "latent"}), ((0.0, 0.1), {"discriminator"})):
        words = [*SMALL, f"optim.generator.lr={rates[0]}", f"optim.discriminator.lr={rates[1]}", "ema.decay=0"]
        game = run_training(configure(*words, "trainer.max_steps=1", "callbacks=none"))
        before = build(configure(*words, folder="before")).module.state_dict()
        state = game.module.state_dict()
        assert {name.partition(".")[0] for name in state if not state[name].equal(before[name])} == expected


def test_the_game_alone_moves_the_points(configure, run_training):
    words = [*SMALL, "auxiliary=none", "optim.simultaneous=true", "trainer.max_steps=1", "callbacks=none"]
    game = run_training(configure(*words))
    assert not game.module.latent.points.equal(build(configure(*words, folder="before")).module.latent.points)


def test_points_are_resumed_and_opened(configure, run_training, tmp_path):
    choices = [*SMALL, "logger=tensorboard", "trainer.max_epochs=2", "callbacks.monitor.every_n_batches=4"]
    whole = run_training(configure(*choices, folder="whole"))
    check_resume(configure, run_training, tmp_path, choices, whole, stop_at=9)
    run = open_run(tmp_path / "whole", device="cpu")
    assert torch.equal(run.module.latent.points, whole.module.latent.points)
    z, _ = run.sampler.latents(5, seed=0)
    assert not z.requires_grad


def test_wrong_numbers_are_reported(configure):
    with pytest.raises(UserError, match=r"latent.points must be a whole number of at least 1, got 0"):
        build(configure(*SMALL, "latent.points=0"))
