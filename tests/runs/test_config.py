"""Types and ranges of plain numbers: what is refused, and how."""

import pytest

from gan.app.command_line import CONF
from gan.core.errors import UserError
from gan.runs.config import TRAINING, Number, check


def test_defaults_pass(configure):
    check(configure(), TRAINING)
    check(configure("~callbacks.diagnosis"), TRAINING)
    check(configure("~callbacks.diagnosis.symptoms.oscillation"), TRAINING)
    check(configure("callbacks=none", "data=mnist", "trainer.max_epochs=null", "trainer.max_steps=5"), TRAINING)


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
        ("trainer.max_epochs=abc", "trainer.max_epochs must be a whole number of at least 1, or -1, or null, got abc."),
        ("trainer.max_steps=0", "trainer.max_steps must be a whole number of at least 1, or -1, or null, got 0."),
        ("data.image_size=28.5", "data.image_size must be a whole number of at least 1, got 28.5."),
        (
            "callbacks.diagnosis.symptoms.discriminator_won.real=1",
            "callbacks.diagnosis.symptoms.discriminator_won.real must be a number of at least 0 and below 1, got 1.",
        ),
        ("objective=5", "objective must be text or null, got 5."),
    ],
)
def test_refusals_name_the_key_and_the_range(configure, choice, message):
    with pytest.raises(UserError) as error:
        check(configure(choice.replace(".nan", "nan")), TRAINING)
    assert str(error.value) == message


def test_every_key_of_the_table_exists(configure):
    from omegaconf import OmegaConf

    sets = [f"data={path.stem}" for path in (CONF / "data").glob("*.yaml")]
    configurations = [configure(choice, "metrics=[all,vendi]") for choice in sets]

    def exists(key):
        return any(OmegaConf.select(cfg, key, default="missing") != "missing" for cfg in configurations)

    assert [key for key in TRAINING if not exists(key)] == []


def test_number():
    assert [Number(low=0, below=1).admits(x) for x in (0, 0.5, 1, -1, True, "0")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert Number(low=1, whole=True, also=(None,)).admits(None)
