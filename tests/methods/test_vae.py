"""The VAE: the two terms of the ELBO, a model whose likelihood is known, and training."""

import math

import pytest
import torch

from gan.app.prepare import prepare
from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.core.random import RandomRows
from gan.losses.likelihoods import Bernoulli
from gan.methods.vae import kl_to_standard_normal
from gan.runs.build import build
from tests.conftest import composed
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
    assert Bernoulli()(means, images).item() == pytest.approx(expected.item(), rel=1e-5)
    certain = torch.tensor([[0.0, 1.0]], requires_grad=True)
    Bernoulli()(certain, torch.tensor([[1.0, 1.0]])).backward()
    assert certain.grad.isfinite().all()


def test_elbo_is_tight_for_the_exact_posterior():
    """One Bernoulli pixel of mean 1/2 whatever z: log p(x) is -log 2, and the exact posterior is the prior."""
    half = torch.full((1000, 1), 0.5)
    x = torch.rand(1000, 1).round()
    exact = Bernoulli()(half, x) + kl_to_standard_normal(torch.zeros(1000, 2), torch.zeros(1000, 2))
    assert exact.item() == pytest.approx(math.log(2), abs=1e-6)
    off = Bernoulli()(half, x) + kl_to_standard_normal(torch.ones(1000, 2), torch.zeros(1000, 2))
    assert off.item() == pytest.approx(math.log(2) + 1, abs=1e-6)


class LinearGaussian:
    """x = W z + b + N(0, σ² I) with z ~ N(0, I): log p(x), the exact posterior, and a VAE with this generator."""

    def __init__(self, configure, dim=2, pixels=4, deviation=0.5):
        torch.manual_seed(3)
        words = ["method=vae", "model=linear_autoencoder", f"latent.dim={dim}", "logger=none", "callbacks=none"]
        cfg = composed(*words, "likelihood=gaussian", f"likelihood.deviation={deviation}", "trainer=cpu")
        cfg.output_dir, cfg.data.image_size, cfg.model.generator.sigmoid = "unused", 2, False
        self.method = build(cfg).module
        layer = self.method.generator.layer
        torch.nn.init.normal_(layer.weight)
        self.w, self.b, self.variance = layer.weight.detach(), layer.bias.detach(), deviation**2
        self.x = torch.randn(3, pixels) * 2
        precision = torch.eye(dim) + self.w.T @ self.w / self.variance
        self.covariance = torch.linalg.inv(precision)
        self.means = (self.x - self.b) @ self.w @ self.covariance / self.variance

    def log_likelihood(self):
        whole = self.w @ self.w.T + self.variance * torch.eye(len(self.b))
        return torch.distributions.MultivariateNormal(self.b, whole).log_prob(self.x).mean().item()

    def bound(self, mean, log_variance, monkeypatch, draws=40_000):
        """The ELBO with this q for the three images, a mean over draws, and its standard error."""
        monkeypatch.setattr(type(self.method), "random_rows", property(lambda _: RandomRows()))
        many = self.x.repeat(draws, 1).view(-1, 1, 2, 2)
        outputs = torch.cat([mean, log_variance], 1)
        self.method.encoder.forward = lambda images: outputs.repeat(len(images) // 3, 1)
        values = []
        with torch.no_grad():
            for part in many.split(3 * draws // 20):
                reconstruction, divergence = self.method.negative_elbo(Batch(images=part, labels=None))
                values.append(-(reconstruction + divergence).item())
        values = torch.tensor(values)
        return values.mean().item(), values.std().item() / math.sqrt(len(values))


def test_bound_of_a_linear_gaussian_model_is_its_likelihood_less_the_divergence(configure, monkeypatch):
    """log p(x) = ELBO + KL(q ‖ exact posterior), which is 0 only for the exact one; that is not diagonal here."""
    model = LinearGaussian(configure)
    log_variance = -torch.log(torch.linalg.inv(model.covariance).diagonal()).expand(3, 2)  # the best diagonal q
    posterior = torch.distributions.MultivariateNormal(model.means, model.covariance)
    for shift in (0.0, 0.7):
        value, error = model.bound(model.means + shift, log_variance, monkeypatch)
        q = torch.distributions.MultivariateNormal(model.means + shift, torch.diag_embed(log_variance.exp()))
        gap = torch.distributions.kl_divergence(q, posterior).mean().item()
        assert gap > 0.001
        assert value == pytest.approx(model.log_likelihood() - gap, abs=6 * error)
        assert value < model.log_likelihood() + 6 * error


def test_bound_of_one_dimension_is_tight_at_the_exact_posterior(configure, monkeypatch):
    model = LinearGaussian(configure, dim=1)
    value, error = model.bound(model.means, model.covariance.log().expand(3, 1), monkeypatch)
    assert value == pytest.approx(model.log_likelihood(), abs=6 * error)


def test_every_part_of_the_bound_trains_what_it_depends_on(configure, monkeypatch):
    """The KL moves the encoder alone, the reconstruction both; β weighs the KL."""
    gradients = {}
    for beta in (1.0, 3.0):
        method = build(configure(*SMALL, f"method.beta={beta}")).module
        monkeypatch.setattr(type(method), "random_rows", property(lambda _: RandomRows()))
        torch.manual_seed(0)
        parts = method.negative_elbo(Batch(images=torch.rand(8, 1, 8, 8), labels=torch.full((8,), -1)))
        weights = dict(method.encoder.named_parameters(prefix="e")) | dict(
            method.generator.named_parameters(prefix="g")
        )
        for name, part in zip(("reconstruction", "divergence"), parts, strict=True):
            found = torch.autograd.grad(part, list(weights.values()), retain_graph=True, allow_unused=True)
            gradients[name] = {key.partition(".")[0] for key, g in zip(weights, found, strict=True) if g is not None}
        gradients[beta] = torch.autograd.grad(parts[0] + method.beta * parts[1], method.encoder.layers[-1].bias)[0]
    assert gradients["divergence"] == {"e"}
    assert gradients["reconstruction"] == {"e", "g"}
    assert not torch.allclose(gradients[1.0], gradients[3.0])


def test_checkpoints_without_an_average_of_the_encoder_load(configure):
    method = build(configure(*SMALL)).module
    state = {name: value + 1 for name, value in method.state_dict().items() if not name.startswith("encoder_ema.")}
    method.load_state_dict(state)
    for name, value in method.encoder.state_dict().items():
        assert torch.equal(value, method.encoder_ema.state_dict()[name])
        assert torch.equal(value, state[f"encoder.{name}"])


def test_one_step_updates_generator_encoder_and_ema(configure, run_training):
    game = run_training(configure(*SMALL, "trainer.max_steps=1"))
    before = build(configure(*SMALL, folder="before")).module.state_dict()
    moved = {
        name.partition(".")[0] for name, value in game.module.state_dict().items() if not value.equal(before[name])
    }
    assert moved == {"generator", "encoder", "generator_ema", "encoder_ema"}
    assert list(game.module.players) == ["generator"]
    assert len(game.trainer.optimizers) == 1


def test_training_beats_the_mean_image(configure, run_training):
    game = run_training(
        configure(*SMALL, "model.generator.hidden=[64]", "model.encoder.hidden=[64]", "trainer.max_epochs=25")
    )
    latest = next(c for c in game.trainer.callbacks if type(c).__name__ == "Monitor").latest
    images = game.data.splits["train"].images.float() / 255
    mean = images.mean(0, keepdim=True).clamp(1e-6, 1 - 1e-6)
    without_z = Bernoulli()(mean.expand_as(images), images).item()
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
    with pytest.raises(UserError, match=r"model.encoder returns .*, expected \(2, 6\); set model.encoder.per_code=2"):
        run_training(configure(*SMALL, "model.encoder.per_code=1"))
    with pytest.raises(UserError, match="beta must be a number of at least 0"):
        build(configure(*SMALL, "method.beta=-1"))


def test_points_of_the_plane_are_no_bernoulli_pixels(tmp_path):
    words = ["data=ring", "method=vae", "latent.dim=2", "trainer=cpu", "callbacks=none", "logger=none"]
    cfg = composed(*words)
    cfg.output_dir = str(tmp_path)
    with pytest.raises(UserError, match=r"Bernoulli pixels lie in \[0, 1\], unlike .*take likelihood=gaussian"):
        prepare(build(cfg), cfg)
    cfg = composed(*words, "likelihood=gaussian")
    cfg.output_dir = str(tmp_path)
    prepare(build(cfg), cfg)
