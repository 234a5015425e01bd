"""Every number of every choice at its edges: one line, or a training that ends with finite weights."""

import pytest
import yaml
from omegaconf import OmegaConf

from gan.app.command_line import CONF
from gan.core.errors import UserError
from tests.fuzz.test_pairs import INSTALLED, shrink, words
from tests.fuzz.tiny import FIGURES, Hung, check_finite, is_short, refusal, some, tiny_config, train_tiny

EDGES = [0, -1, 1, 2, 10**20, 1e300, 1e-300, float("nan"), float("inf"), 0.5, "a", None, True, [], {"a": 1}]
#: their huge values are right and take as long as they say
LONG = {"k", "g_steps", "trainer.max_steps", "data.batches_per_epoch"}


def numbers(node, key=""):
    """The dotted keys of the numbers in a file."""
    for name, value in node.items() if isinstance(node, dict) else ():
        where = f"{key}.{name}".lstrip(".")
        if isinstance(value, dict):
            yield from numbers(value, where)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield where


def cases():
    """(choice, key): every number of a choice's file, and of the defaults."""
    default = yaml.safe_load((CONF / "train.yaml").read_text(encoding="utf-8"))
    yield from (("trainer=cpu", key) for key in numbers(default) if not key.startswith("hydra"))
    for choice in INSTALLED:
        group, _, name = choice.partition("=")
        place = group.partition("@")[2] or group.replace("/", ".")
        text = (CONF / group.partition("@")[0] / f"{name}.yaml").read_text(encoding="utf-8")
        prefix = "" if "@package _global_" in text else place
        for key in numbers(yaml.safe_load(text) or {}, prefix):
            yield choice, key


CASES = [(choice, key, edge) for choice, key in cases() for edge in EDGES]


def identity(case):
    return f"{case[0]}-{case[1]}-{case[2]}"


@pytest.mark.parametrize("case", some(CASES, 10), ids=identity)
def test_number_at_its_edge(case, tmp_path, tiny_data, monkeypatch):
    choice, key, edge = case
    if key in LONG and isinstance(edge, int | float) and edge > 2:
        return
    cfg = tiny_config(tmp_path / "run", *words((choice, "data=digits") if "data=" not in choice else (choice,)))
    shrink(cfg, tiny_data, tmp_path)
    if OmegaConf.select(cfg, key.rpartition(".")[0] or "k", default=None) is None:
        return  # a part that this choice alone does not build
    OmegaConf.update(cfg, key, edge, force_add=True)
    try:
        experiment = train_tiny(cfg, monkeypatch)
        check_finite(experiment)
    except UserError as error:
        refusal(error)
        FIGURES["numbers", "one line"] += 1
    except Hung:
        raise
    else:
        FIGURES["numbers", "trained"] += 1


def test_every_group_has_numbers_among_the_cases():
    assert {choice.partition("=")[0] for choice, _, _ in CASES} >= {"loss", "penalty", "model", "optim", "data"}
    assert is_short() or len(CASES) > 1000
