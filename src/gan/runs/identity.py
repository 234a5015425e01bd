"""Classifies configuration keys: what a run trains, where it is stored, and what only observes it."""

import re
from collections.abc import Mapping, Sequence

from omegaconf import OmegaConf

from gan.core.containers import flatten

AUTO = "auto"
#: the key next to ``trainer.precision`` with the reason for the choice of ``auto``; absent if the user set a value
REASON = "precision_reason"

Setting = tuple[tuple[str, str], ...]

#: keys for paths and the logger, and the checkpoint from which a run was started
PLACES = re.compile(r"output_dir|ckpt_path|callbacks\.\w+\.folder|logger\..*")
#: keys that do not affect training
WATCHERS = re.compile(r"(callbacks|logger|metrics|features|figures|objective)(\..*)?|trainer\.max_time")
#: seeds of the run and of the order of its data
SEEDS = re.compile(r"(.*\.)?seed")
#: arguments of the optimizers, whose state is in the checkpoint
OPTIMIZERS = re.compile(r"optim\.(?!schedule\b|momentum\b)\w+\..*|recipe\.lr")


def setting(config: Mapping) -> Setting:
    """The configuration of a run without its seed, its paths and the keys that do not affect training.

    Runs with the same setting form a group, over whose seeds results are averaged.

    Args:
        config: a run's configuration.
    """
    flat = _flat(config)
    if flat.pop(f"trainer.{REASON}", None) is not None:  # a sweep may run on different machines
        flat["trainer.precision"] = AUTO
    place = str(flat.get("output_dir"))
    return tuple(
        (key, str(value))
        for key, value in sorted(flat.items())
        if not any(kind.fullmatch(key) for kind in (PLACES, WATCHERS, SEEDS)) and place not in str(value)
    )


def changes(before: Mapping, now: Mapping) -> dict[str, tuple[object, object]]:
    """The two values of each key in which two configurations differ, except paths.

    A precision that ``auto`` chose before equals an ``auto`` now. A recorded ``${oc.env:NAME}`` equals any value.
    """
    old, new = _flat(before), _flat(now)
    if f"trainer.{REASON}" in old and new.get("trainer.precision") == AUTO:
        old["trainer.precision"] = AUTO
    unknown = {key for key, value in old.items() if PLACES.fullmatch(key) or "${" in str(value)}
    return {
        key: (old.get(key), new.get(key))
        for key in sorted((old.keys() | new.keys()) - unknown - {f"trainer.{REASON}"})
        if old.get(key) != new.get(key) and not PLACES.fullmatch(key)
    }


def labels(configs: Sequence[Mapping]) -> list[str]:
    """A label for each run with its differences from the others: ``loss=adversarial.Minimax seed=2``.

    If several keys divide the runs in the same way (``seed`` and ``data.seed``), only the first is used. Top-level keys
    come first, then choices of a class, then the rest.
    """
    flat = [_flat(config) for config in configs]
    keys = {key: None for config in flat for key in config if not PLACES.fullmatch(key)}
    telling: dict[tuple[int, ...], str] = {}
    for key in sorted(keys, key=lambda key: ("." in key, not key.endswith("_target_"), key)):
        values = [str(config.get(key)) for config in flat]
        division = tuple(values.index(value) for value in values)
        places = (str(config.get("output_dir")) for config in flat)
        if any(division) and not any(place in value for place, value in zip(places, values, strict=True)):
            telling.setdefault(division, key)
    return [" ".join(f"{_short(key)}={_brief(config.get(key))}" for key in telling.values()) for config in flat]


def _flat(config: Mapping) -> dict[str, object]:
    """Dotted keys to values, with interpolations resolved."""
    return flatten(OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config)


def _short(key: str) -> str:
    return key.removesuffix("._target_").removesuffix(".generator")


def _brief(value: object) -> str:
    """The last two parts of a dotted path such as ``gan.losses.adversarial.Minimax``."""
    return ".".join(value.split(".")[-2:]) if isinstance(value, str) else str(value)
