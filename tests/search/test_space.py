"""Hydra's grammar of sweeps as distributions of Optuna."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from gan.core.errors import UserError
from gan.search.space import as_text, distribution, read_space

optuna = pytest.importorskip("optuna")
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: E402


def parsed(*words):
    return OverridesParser.create().parse_overrides(list(words))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("x=interval(0, 2)", FloatDistribution(0.0, 2.0)),
        ("x=tag(log, interval(1e-4, 1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("x=int(interval(1, 8))", IntDistribution(1, 8)),
        ("x=tag(log, int(interval(16, 1024)))", IntDistribution(16, 1024, log=True)),
        ("x=range(1, 4)", IntDistribution(1, 3)),
        ("x=range(64, 257, 64)", IntDistribution(64, 256, step=64)),
        ("x=range(4, 1, -1)", IntDistribution(2, 4)),
        ("x=range(0.0, 1.0, 0.25)", FloatDistribution(0.0, 0.75, step=0.25)),
        ("x=a,b", CategoricalDistribution(("a", "b"))),
        ("x=choice(64, 128)", CategoricalDistribution((64, 128))),
        ("x=true,0.5,null", CategoricalDistribution((True, 0.5, "null"))),
        ("x=choice([0.5,0.999],[0,0.9])", CategoricalDistribution(("[0.5,0.999]", "[0,0.9]"))),
        ("x=choice('a b','c=d')", CategoricalDistribution((r"a\ b", r"c\=d"))),
        ("+x.y=choice(1, 2)", CategoricalDistribution((1, 2))),
    ],
)
def test_each_sweep_of_the_grammar_is_a_distribution(word, expected):
    (override,) = parsed(word)
    assert distribution(override) == expected


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("x=range(3, 3)", "the range is empty"),
        ("x=interval(2, 1)", "low"),
        ("x=tag(log, interval(0, 1))", "low"),
        ("x=tag(logarithmic, interval(1, 2))", "the tag 'logarithmic' is unknown; there is: log"),
    ],
)
def test_a_sweep_that_is_no_distribution_is_refused_with_its_text(word, message):
    with pytest.raises(UserError, match=message) as error:
        read_space(parsed(word))
    assert str(error.value).startswith(word)


def test_the_seed_is_no_parameter():
    with pytest.raises(UserError, match=r"^seed is no parameter of a search; hydra.sweeper.seeds"):
        read_space(parsed("x=interval(0, 1)", "seed=1,2"))


DEFAULTS = {"x": 0.5, "n": 2, "betas": [0.5, 0.999], "none": None, "flag": True, "name": "x y", "part": {"y": 7}}


@pytest.mark.parametrize(
    ("word", "stored"),
    [
        ("x=interval(0, 1)", 0.5),
        ("x=tag(log, interval(0.5, 1))", 0.5),
        ("n=range(1, 4)", 2),
        ("n=1,2", 2),
        ("betas=choice([0,0.9],[0.5,0.999])", "[0.5,0.999]"),
        ("none=null,1", "null"),
        ("flag=false,true", True),
        ("name='x y','a'", "'x y'"),
        ("part.y=int(interval(1, 8))", 7),
        ("loss=minimax,hinge", "hinge"),
    ],
)
def test_the_default_of_a_parameter_is_that_of_the_configuration(word, stored):
    config = OmegaConf.create(DEFAULTS | {"hydra": {"runtime": {"choices": {"loss": "hinge"}}}})
    ((key, value),) = read_space(parsed(word)).defaults(config).items()
    assert (value, type(value)) == (stored, type(stored))
    trial = optuna.trial.FixedTrial({key: value})
    assert read_space(parsed(word)).suggest(trial) == [f"{key}={as_text(value)}"]


@pytest.mark.parametrize("word", ["x=interval(0.6, 1)", "n=range(3, 5)", "betas=choice([0,0.9])", "other=1,2"])
def test_a_default_outside_the_search_is_refused(word):
    key = word.partition("=")[0]
    with pytest.raises(UserError, match=rf"^hydra.sweeper.default_first: {key} is .* by default, which is not in the"):
        read_space(parsed(word)).defaults(OmegaConf.create(DEFAULTS))


def test_a_search_without_a_parameter_is_refused():
    with pytest.raises(UserError, match=r"^nothing to search; give a parameter"):
        read_space(parsed("model=mlp"))


def test_the_second_override_of_a_key_is_used():
    space = read_space(parsed("x=interval(0, 1)", "k=2", "x=choice(1, 2)", "k=3"))
    assert space.swept == {"x": CategoricalDistribution((1, 2))}
    assert space.fixed == ["k=3"]


def test_a_suggestion_is_an_override_that_hydra_reads_as_the_value():
    words = [
        "+a.b=tag(log, interval(1e-5, 1e-4))",
        "k=range(1, 4)",
        "flag=true,false",
        "name='x y',\"it's\"",
        "z=null,1",
    ]
    space = read_space(parsed(*words))
    for trial in (optuna.create_study().ask() for _ in range(20)):
        values = {override.input_line.partition("=")[0]: override.value() for override in parsed(*space.suggest(trial))}
        assert 1e-5 <= values["+a.b"] <= 1e-4
        assert values["k"] in (1, 2, 3)
        assert values["flag"] in (True, False)
        assert values["name"] in ("x y", "it's")
        assert values["z"] in (None, 1)


def test_values_that_are_in_the_study_stay():
    """A killed search may have asked for a part of a trial's values."""
    study = optuna.create_study()
    trial = study.ask()
    first = trial.suggest_float("x", 0.0, 1.0)
    space = read_space(parsed("x=interval(0, 1)", "y=interval(0, 1)"))
    assert space.suggest(trial)[0] == f"x={as_text(first)}"
    assert space.suggest(trial) == space.suggest(trial)
