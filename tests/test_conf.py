"""Every YAML file composes and builds; what does not fit is named."""

import itertools

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import nn

from gan.build import PRECISIONS, build, check_networks, prepare
from gan.cli import CONF
from gan.errors import UserError

FILES = sorted(path.relative_to(CONF).with_suffix("") for path in CONF.rglob("*.yaml"))
CHOICES = [f"{file.parent}={file.name}" for file in FILES if file.parts[0] != "hydra" and len(file.parts) > 1]


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_builds(choice, tmp_path):
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", [choice, f"output_dir={tmp_path}"])
    if choice == "trainer=gpu" and not torch.cuda.is_available():
        with pytest.raises(UserError, match=r"torch finds no GPU on this machine; give trainer=cpu or trainer=auto"):
            build(cfg)
    else:
        game = build(cfg)
        assert game.module.generator(game.module.latent(2)).shape == (2, 1, cfg.data.image_size, cfg.data.image_size)


MODELS, LOSSES = ("mlp", "maxout"), ("minimax", "nonsaturating")
LATENTS, PENALTIES = ("gaussian", "uniform", "spherical"), ("none", "r1")


@pytest.mark.parametrize(
    ("model", "loss", "latent", "penalty"), list(itertools.product(MODELS, LOSSES, LATENTS, PENALTIES))
)
def test_every_combination_takes_a_step(configure, play, model, loss, latent, penalty):
    small = ["trainer.max_steps=1", "callbacks=none", "logger=none", "data.batch_size=8"]
    game = play(configure(*small, f"model={model}", f"loss={loss}", f"latent={latent}", f"penalty={penalty}"))
    assert game.module.minibatch == 1
    assert all(p.isfinite().all() for p in game.module.parameters())


@pytest.mark.parametrize("model", MODELS)
def test_images_of_another_size_just_work(configure, play, model):
    choices = [f"model={model}", "data.image_size=13", "trainer.max_steps=1", "callbacks=none", "logger=none"]
    game = play(configure(*choices))
    assert game.module.generator(game.module.latent(1)).shape == (1, 1, 13, 13)


@pytest.mark.parametrize("precision", [p for p in PRECISIONS if p != "16-mixed"])
def test_precisions(configure, play, precision):
    game = play(configure(f"trainer.precision={precision}", "trainer.max_steps=2", "callbacks=none", "logger=none"))
    assert all(p.dtype == torch.float32 for p in game.module.parameters())


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (["optim.generator.lr=-1"], r"optim.generator: Invalid learning rate: -1"),
        (
            ["+optim.generator.weight_deacy=1"],
            r"optim.generator has no key 'weight_deacy'. Did you mean 'weight_decay'?",
        ),
        (["+trainer.max_epoch=3"], r"trainer has no key 'max_epoch'. Did you mean 'max_epochs'?"),
        (["trainer.precision=64"], r"trainer.precision=64: choose one of 32-true"),
        (["+data.bach_size=3"], r"data has no key 'bach_size'. Did you mean 'batch_size'?"),
        (["data.batch_size=0"], r"data: batch_size must be a whole number of at least 1, got 0"),
        (["latent.dim=0"], r"latent: dim must be at least 1, got 0"),
        (["model.discriminator.dropout=1"], r"model.discriminator: dropout must lie in \[0, 1\), got 1"),
        (["callbacks.pictures.count=0"], r"callbacks.pictures: count must be at least 1, got 0"),
        (["callbacks.checkpoint.every_n_minutes=0"], r"callbacks.checkpoint: every_n_minutes must be positive"),
        (["loss._target_=gan.losses.Missing"], r"loss: .*Missing"),
        (["~loss._target_"], r"loss must be a mapping with a _target_"),
        (["trainer.devices=0"], r"trainer: "),
    ],
)
def test_mistakes_are_named_before_any_data_is_read(configure, choices, message):
    with pytest.raises(UserError, match=message):
        build(configure(*choices))


def test_a_training_without_end_is_refused(configure):
    cfg = configure("trainer.max_epochs=-1")
    game = build(cfg)
    with pytest.raises(UserError, match=r"trainer.max_epochs or trainer.max_steps must set an end"):
        prepare(game, cfg)


class Flat(nn.Module):
    def forward(self, x):
        return x.new_zeros(len(x), 3)


def test_networks_that_do_not_fit_are_named(configure):
    game = build(configure()).module
    check_networks(game, (1, 8, 8))
    with pytest.raises(UserError, match=r"model.generator draws images of shape \(1, 8, 8\), the data has \(3, 8, 8\)"):
        check_networks(game, (3, 8, 8))
    game.discriminator = Flat()
    with pytest.raises(UserError, match=r"model.discriminator returns shape \(2, 3\) for 2 images, expected \(2,\)"):
        check_networks(game, (1, 8, 8))
    game.discriminator = nn.Linear(5, 1)
    with pytest.raises(UserError, match=r"model does not fit images of shape \(1, 8, 8\)"):
        check_networks(game, (1, 8, 8))
