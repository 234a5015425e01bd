"""Every two choices of all groups are composed, built and trained for a step of G, or refused for a reviewed reason."""

import itertools
from importlib.util import find_spec

import pytest
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

import gan
from gan.app.prepare import prepare
from gan.core.errors import UserError
from gan.runs.build import build
from tests.fuzz.refusals import REFUSALS
from tests.fuzz.tiny import FIGURES, check_finite, matching, override, refusal, some, tiny_config, train_tiny
from tests.test_conf import CHOICES, header, needs

INSTALLED = [
    choice for choice in CHOICES if not (name := header(choice, "Package").partition(" ")[0]) or find_spec(name)
]
PAIRS = [(a, b) for a, b in itertools.combinations(INSTALLED, 2) if a.partition("=")[0] != b.partition("=")[0]]


def words(pair):
    """The command line of two choices, with what their files say they need; a choice of the pair comes first."""
    groups = {choice.partition("=")[0]: choice for choice in pair}
    needed = [word for choice in pair for word in needs(choice) if word.partition("=")[0] not in groups]
    own = [*groups.values(), *dict.fromkeys(needed)]
    return own if "trainer" in groups else [*own, "trainer=cpu"]


def shrink(cfg, images, folder):
    """Sets sizes that do not matter to small ones."""
    for key, value in {
        "data.batch_size": 4,
        "data.examples": 40,
        "data.cache_dir": str(folder / "cache"),
        "features.cache": str(folder / "cache"),
        "features.epochs": 1,
        "features.weights": str(folder / "no.pth"),
        "callbacks.scores.num_samples": 20,
        "trainer.max_steps": cfg.k,
    }.items():
        override(cfg, key, value)
    if cfg.data.get("labels_per_class"):
        cfg.data.labels_per_class = 1
    if cfg.data.get("root", "") is None:
        cfg.data.root = str(images)


@pytest.mark.parametrize("pair", some(PAIRS, 12), ids="+".join)
def test_every_pair_of_choices(pair, tmp_path, tiny_data, monkeypatch):
    try:
        try:
            cfg = tiny_config(tmp_path / "run", *words(pair))
        except (HydraException, OmegaConfBaseException):
            gan.compose(*words(pair))  # which has its own words for it
            raise
        shrink(cfg, tiny_data, tmp_path)
        if "trainer=ddp" in pair:  # built for two processes, none of which is started
            cfg.trainer.accelerator = "cpu"
            prepare(build(cfg), cfg)
        else:
            experiment = train_tiny(cfg, monkeypatch)
            assert experiment.module.iteration == cfg.k
            check_finite(experiment)
    except UserError as error:
        message = refusal(error)
        reason = matching(message, REFUSALS)
        assert reason, f"add this line to refusals.py if it is right: {message}"
        FIGURES["pairs", f"refused: {REFUSALS[reason]}"] += 1
    else:
        FIGURES["pairs", "trained"] += 1
