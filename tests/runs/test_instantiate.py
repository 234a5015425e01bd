"""Errors about values that a constructor refuses name the key that the user wrote."""

import inspect

import pytest
import torch
from omegaconf import OmegaConf

from gan.core.errors import UserError
from gan.runs.build import build
from gan.runs.instantiate import part, parts
from tests.conftest import composed

#: the arguments of torch.optim.Adam in conf/optim/adam.yaml, as torch declares them
ADAM = ", ".join(str(inspect.signature(torch.optim.Adam).parameters[name]) for name in ("lr", "betas", "fused"))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("k=0", "k must be a whole number of at least 1, got 0."),
        ("k=1.5", "k must be a whole number of at least 1, got 1.5."),
        ("k=true", "k must be a whole number of at least 1, got True."),
        ("g_steps=-1", "g_steps must be a whole number of at least 1, got -1."),
        ("seed=abc", "seed must be a whole number, got abc."),
        ("ema.decay=1.0", "ema.decay must be a number of at least 0 and below 1, got 1.0."),
        ("ema.decay=null", "ema.decay must be a number of at least 0 and below 1, got null."),
        ("ema=0.9", "ema must be a mapping of keys to values, got 0.9."),
        ("optim.gradient_clip=-1", "optim.gradient_clip must be a number of at least 0, got -1."),
        ("optim.generator.lr=.nan", "optim.generator.lr must be a number of at least 0, got nan."),
        ("trainer.max_epochs=abc", "trainer.max_epochs must be a whole number of at least 1, or null, got abc."),
        ("trainer.max_steps=0", "trainer.max_steps must be a whole number of at least 1, or null, got 0."),
        ("data.image_size=28.5", "data.image_size must be a whole number of at least 1, got 28.5."),
        (
            "callbacks.diagnosis.symptoms.discriminator_won.real=1",
            "callbacks.diagnosis.symptoms.discriminator_won.real must be a number of at least 0 and below 1, got 1.",
        ),
        (
            "callbacks.monitor.every_n_batches=x",
            "callbacks.monitor.every_n_batches must be a whole number of at least 1, got x.",
        ),
        (
            "optim.generator.betas=[0.5]",
            f"optim.generator: list index out of range (given lr=0.001, betas=[0.5], fused=True; expected {ADAM}).",
        ),
        (
            "optim.generator.betas=5",
            "optim.generator: 'int' object is not subscriptable (given lr=0.001, betas=5, fused=True; "
            f"expected {ADAM}).",
        ),
        ("latent.dim=0", "latent.dim must be a whole number of at least 1, got 0."),
        (
            "model.discriminator.dropout=1",
            "model.discriminator.dropout must be a number of at least 0 and below 1, got 1.",
        ),
        ("objective=5", "objective must be text, a list of texts or null, got 5."),
        ("objective=[frechet,5]", "objective must be text, a list of texts or null, got ['frechet', 5]."),
    ],
)
def test_error_names_the_key_and_the_range(configure, choice, message):
    with pytest.raises(UserError) as error:
        build(configure(choice.replace(".nan", "nan")))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model=dcgan", "data.image_size=30"],
            "data.image_size must be 4, 8, 16, 32, 64, … or 7, 14, 28, 56, …, got 30.",
        ),
        (["model=infogan", "data.image_size=13"], "data.image_size must be 8, 12, 16, 20, 24, 28, …, got 13."),
        (["model=dcgan_textbook"], "data.image_size must be 28 (model=dcgan takes other sizes), got 8."),
        (
            [
                "model=dcgan",
                "normalization@model.generator.normalization=group",
                "model.generator.normalization.groups=3",
            ],
            "model.generator.normalization.groups must divide each layer's channels (128 in one), got 3.",
        ),
    ],
)
def test_refusals_lead_into_an_argument(words, message):
    with pytest.raises(UserError) as error:
        build(composed(*words, "trainer=cpu"))
    assert str(error.value) == message


def test_settings_of_a_part_that_another_choice_replaces_are_skipped(configure):
    cfg = configure("figures=grid", "+figures.curves.level=0.3")
    assert list(parts(cfg, "figures")) == ["grid"]


def test_group_without_names_is_refused(configure):
    cfg = configure("figures=grid")
    cfg.figures = ["grid"]
    with pytest.raises(UserError, match=r"figures must be a mapping of names to classes to build, got \['grid'\]"):
        parts(cfg, "figures")


@pytest.mark.parametrize("key", ["penalty", "auxiliary", "view", "figures", "metrics", "callbacks", "logger"])
@pytest.mark.parametrize("settings", [{}, {"weight": 1.0}, {"r1": {"_target_": "gan.losses.penalties.R1"}}])
def test_part_without_a_name_of_its_own_is_refused(key, settings):
    """As in a file of the user that lacks the key; its other arguments may come first."""
    cfg = OmegaConf.create({key: {**settings, "_target_": "my_gan.losses.Drift"}})
    with pytest.raises(UserError) as error:
        parts(cfg, key)
    assert str(error.value) == (
        f"{key} holds parts by their names: put the class and its arguments under a name of their own, such as "
        "drift: {_target_: my_gan.losses.Drift}."
    )


def test_view_without_a_name_of_its_own_is_refused(configure):
    cfg = configure("penalty=none")
    cfg.view = {"_target_": "my_gan.views.Noisy"}
    with pytest.raises(UserError, match=r"^view holds parts by their names: .* noisy: {_target_: my_gan.views.Noisy}"):
        build(cfg)


def test_named_part_is_built():
    cfg = OmegaConf.create({"penalty": {"drift": {"_target_": "gan.losses.penalties.R1", "weight": 2.0}}})
    assert parts(cfg, "penalty")["drift"].weight == 2.0


def test_class_without_a_signature_keeps_its_message():
    cfg = OmegaConf.create({"data": {"_target_": "builtins.dict", "_args_": [5]}})
    with pytest.raises(UserError, match=r"^data: 'int' object is not iterable \(given \)\.$"):
        part(cfg, "data")
