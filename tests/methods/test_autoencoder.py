"""Autoencoders: what each step moves, principal components, sampling, resume; the adversarial one."""

import pytest
import torch

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.losses.base import Pair
from gan.methods.sampler import Sampler
from gan.runs.build import build
from tests.conftest import composed
from tests.test_resume import check_resume

NARROW = ["model.encoder.hidden=[16]", "model.generator.hidden=[16]", "latent.dim=3", "logger=none"]
PLAIN = ["method=autoencoder", *NARROW]
ADVERSARIAL = ["method=adversarial_autoencoder", "model.discriminator.hidden=[12]", *NARROW]


def moved(configure, run_training, *words):
    game = run_training(configure(*words, "trainer.max_steps=1"))
    before = build(configure(*words, folder="before")).module.state_dict()
    return {name for name, value in game.module.state_dict().items() if not value.equal(before[name])}


def test_one_step_updates_both_networks_and_the_moments(configure, run_training):
    names = moved(configure, run_training, *PLAIN)
    assert {name.partition(".")[0] for name in names} == {"generator", "encoder", "generator_ema", "encoder_ema"}
    assert {f"generator.{name}" for name in ("batches", "first", "second", "mean", "factor")} <= names
    assert {f"generator_ema.{name}" for name in ("mean", "factor")} <= names


def test_the_fit_is_that_of_the_codes_and_samples_come_from_it(configure, run_training):
    """At a rate of 0 the codes do not change: the running moments of one pass are those of the batches seen."""
    words = [*PLAIN, "recipe.lr=0", "trainer.max_epochs=4", "data.batch_size=139", "callbacks=none"]  # 10 batches each
    game = run_training(configure(*words))
    sampler, images = Sampler(game.module), game.data.splits["train"].images
    codes = sampler.describe_by(game.module.encoder, images)["code"]
    fit = game.module.generator
    assert torch.allclose(fit.mean, codes.mean(0), atol=0.01)
    covariance = torch.cov(codes.T)
    assert torch.allclose(fit.factor @ fit.factor.T, covariance, atol=0.02 * covariance.diagonal().max())
    z = sampler.encode("raw", images[:50])
    assert torch.allclose(sampler.sample("raw", z), sampler.reconstruct("raw", images[:50]), atol=1e-6)
    assert torch.allclose(sampler.reconstruct("raw", images[:50]), fit.decode(codes[:50]), atol=1e-4)


def test_a_linear_autoencoder_finds_principal_components(tmp_path, run_training):
    """The least squared error of a code of 5 numbers is the sum of the other eigenvalues of the covariance."""
    words = ["experiment=single_layer_autoencoder", "latent.dim=5", "model.generator.sigmoid=false", "logger=none"]
    cfg = composed(*words, "recipe.epochs=40", "recipe.lr=0.01", "trainer=cpu", "callbacks=none")
    cfg.output_dir = str(tmp_path)
    game = run_training(cfg)
    images = game.data.splits["train"].images.float() / 255
    x = images.flatten(1).double()
    eigenvalues = torch.linalg.eigvalsh(torch.cov(x.T, correction=0))
    best = eigenvalues[: -cfg.latent.dim].sum().item()
    made = Sampler(game.module).reconstruct("raw", images)
    error = (made - images).square().flatten(1).sum(1).mean().item()
    assert best <= error < 1.1 * best


@pytest.mark.parametrize("words", [PLAIN, ADVERSARIAL], ids=["plain", "adversarial"])
def test_resumed_run_equals_the_uninterrupted_one(configure, run_training, tmp_path, words):
    choices = [*words, "logger=tensorboard", "trainer.max_epochs=2", "callbacks.monitor.every_n_batches=4"]
    whole = run_training(configure(*choices, folder="whole"))
    check_resume(configure, run_training, tmp_path, choices, whole, stop_at=9)


def test_another_generator_is_refused(configure):
    with pytest.raises(UserError, match="method=autoencoder needs a Gaussian of the codes"):
        build(configure(*PLAIN, "conditioning=none"))


# The adversarial autoencoder


def test_players_train_their_networks(configure, run_training):
    names = {name.partition(".")[0] for name in moved(configure, run_training, *ADVERSARIAL)}
    assert names == {"discriminator", "generator", "encoder", "generator_ema", "encoder_ema"}
    method = build(configure(*ADVERSARIAL)).module
    assert method.trained_networks == {
        "discriminator": (method.discriminator,),
        "generator": (method.encoder,),
        "autoencoder": (method.encoder, method.generator),
    }


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({"autoencoder": 0.1}, {"encoder", "generator"}),
        ({"discriminator": 0.1}, {"discriminator"}),
        ({"generator": 0.1}, {"encoder"}),
    ],
)
def test_each_player_moves_its_networks_alone(configure, run_training, rates, expected):
    words = [f"optim.{name}.lr={rates.get(name, 0)}" for name in ("discriminator", "generator", "autoencoder")]
    names = moved(configure, run_training, *ADVERSARIAL, *words, "ema.decay=0", "callbacks=none")
    assert {name.partition(".")[0] for name in names} == expected


def test_the_game_is_one_of_codes(configure):
    method = build(configure(*ADVERSARIAL, "+latent.deviation=5.0")).module
    batch = Batch(images=torch.rand(2000, 1, 8, 8), labels=torch.full((2000,), -1))
    pair = Pair(method.discriminator, method.real(batch), method.fake(batch), joint=True)
    assert pair.real.images is None
    assert pair.real.z.std().item() == pytest.approx(5, rel=0.05)
    assert torch.equal(pair.fake.z, method.encoder(batch.images))
    method.loss.generator(pair).backward()
    assert all(p.grad.abs().max() > 0 for p in method.encoder.parameters())
    assert all(p.grad is None for p in method.generator.parameters())


@pytest.mark.parametrize("words", [["penalty=r1"], ["penalty=dragan"], ["loss=hinge", "optim.simultaneous=true"]])
def test_penalties_and_losses_apply_to_codes(configure, run_training, words):
    game = run_training(configure(*ADVERSARIAL, *words, "trainer.max_steps=2", "callbacks=none"))
    assert all(p.isfinite().all() for p in game.module.parameters())


def test_codes_come_to_follow_the_prior(configure, run_training):
    words = [*ADVERSARIAL, "model.discriminator.hidden=[64,64]", "model.encoder.hidden=[64]", "+latent.deviation=5.0"]
    game = run_training(configure(*words, "trainer.max_epochs=30", "callbacks=none", "recipe.lr=4e-3"))
    codes = Sampler(game.module).encode("ema", game.data.splits["train"].images)
    assert codes.mean(0).abs().max() < 2
    assert (codes.std(0) / 5 - 1).abs().max() < 0.35  # at the start about .05


def test_a_discriminator_of_images_is_refused(configure):
    with pytest.raises(UserError, match="method=adversarial_autoencoder needs a discriminator of codes"):
        build(configure("method=adversarial_autoencoder", "model=mlp", "+model.encoder=${model.generator}"))
