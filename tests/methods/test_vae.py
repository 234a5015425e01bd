"""The VAE: the two terms of the ELBO, a model whose likelihood is known, and training."""

import math

import pytest
import torch

from gan.core.errors import UserError
from gan.methods.vae import bernoulli_cross_entropy, kl_to_standard_normal
from gan.runs.build import build
from tests.test_resume import check_resume

SMALL = ["experiment=vae", "model.encoder.hidden=[16]", "model.generator.hidden=[16]", "latent.dim=3", "logger=none"]


def test_kl_equals_torch_and_a_monte_carlo_estimate():
    torch.manual_seed(0)
    mean, log_variance = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    q = torch.distributions.Normal(mean, (log_variance / 2).exp())
    p = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    expected = torch.distributions.kl_divergence(q, p).sum(1).mean()
    assert kl_to_standard_normal(mean, log_variance).item() == pytest.approx(expected.item(), rel=1e-9)
    z = q.sample((100_000,))
    terms = (q.log_prob(z) - p.log_prob(z)).sum(2).mean(1)
    error = terms.std().item() / math.sqrt(len(terms))
    assert terms.mean().item() == pytest.approx(expected.item(), abs=6 * error)


def test_cross_entropy_equals_the_bernoulli_likelihood():
    means, images = torch.rand(5, 1, 2, 2).clamp(0.01, 0.99), torch.rand(5, 1, 2, 2).round()
    expected = -torch.distributions.Bernoulli(means).log_prob(images).flatten(1).sum(1).mean()
    assert bernoulli_cross_entropy(means, images).item() == pytest.approx(expected.item(), rel=1e-5)
    certain = torch.tensor([[0.0, 1.0]], requires_grad=True)
    bernoulli_cross_entropy(certain, torch.tensor([[1.0, 1.0]])).backward()
    assert certain.grad.isfinite().all()


def test_elbo_is_tight_for_the_exact_posterior():
    """One Bernoulli pixel of mean 1/2 whatever z: log p(x) is -log 2, and the exact posterior is the prior."""
    half = torch.full((1000, 1), 0.5)
    x = torch.rand(1000, 1).round()
    exact = bernoulli_cross_entropy(half, x) + kl_to_standard_normal(torch.zeros(1000, 2), torch.zeros(1000, 2))
    assert exact.item() == pytest.approx(math.log(2), abs=1e-6)
    off = bernoulli_cross_entropy(half, x) + kl_to_standard_normal(torch.ones(1000, 2), torch.zeros(1000, 2))
    assert off.item() == pytest.approx(math.log(2) + 1, abs=1e-6)


def test_one_step_updates_generator_encoder_and_ema(configure, run_training):
    game = run_training(configure(*SMALL, "trainer.max_steps=1"))
    before = build(configure(*SMALL, folder="before")).module.state_dict()
    moved = {
        name.partition(".")[0] for name, value in game.module.state_dict().items() if not value.equal(before[name])
    }
    assert moved == {"generator", "encoder", "generator_ema"}
    assert list(game.module.players) == ["generator"]
    assert len(game.trainer.optimizers) == 1


def test_training_beats_the_mean_image(configure, run_training):
    game = run_training(
        configure(*SMALL, "model.generator.hidden=[64]", "model.encoder.hidden=[64]", "trainer.max_epochs=25")
    )
    latest = next(c for c in game.trainer.callbacks if type(c).__name__ == "Monitor").latest
    images = game.data.splits["train"].images.float() / 255
    mean = images.mean(0, keepdim=True).clamp(1e-6, 1 - 1e-6)
    without_z = bernoulli_cross_entropy(mean.expand_as(images), images).item()
    assert latest["loss/generator"] < without_z
    assert latest["loss/generator"] == pytest.approx(
        latest["elbo/reconstruction"] + latest["elbo/divergence"], rel=1e-5
    )
    assert latest["elbo/divergence"] > 1


def test_resumed_run_equals_the_uninterrupted_one(configure, run_training, tmp_path):
    choices = [*SMALL, "logger=tensorboard", "trainer.max_epochs=2", "callbacks.monitor.every_n_batches=4"]
    whole = run_training(configure(*choices, folder="whole"))
    check_resume(configure, run_training, tmp_path, choices, whole, stop_at=9)


def test_encoder_of_the_wrong_size_is_reported(configure, run_training):
    with pytest.raises(UserError, match=r"model.encoder returns shape \(2, 3\), expected \(2, 6\)"):
        run_training(configure(*SMALL, "model.encoder.per_code=1"))
    with pytest.raises(UserError, match="beta must be a number of at least 0"):
        build(configure(*SMALL, "method.beta=-1"))
