"""Which keys of a configuration say what a run is, where it lies, and who watches it."""

import re
from collections.abc import Iterable, Mapping, Sequence

from omegaconf import OmegaConf

from gan.core.containers import flatten

AUTO = "auto"
#: the key beside ``trainer.precision`` that says why ``auto`` became this value; absent where the user named a value
REASON = "precision_reason"

Setting = tuple[tuple[str, str], ...]

#: where a run lies, and with what it was started
PLACES = re.compile(r"output_dir|ckpt_path|callbacks\.\w+\.folder|logger\..*")
#: what leaves the training as it is
WATCHERS = re.compile(r"(callbacks|logger|metrics|features|figures|objective)(\..*)?")
#: seeds, of the run and of its data's order
SEEDS = re.compile(r"(.*\.)?seed")
#: how the optimizers were built, whose state is in the checkpoint
OPTIMIZERS = re.compile(r"optim\.(?!schedule\b|momentum\b)\w+\..*|recipe\.lr")


def setting(config: Mapping) -> Setting:
    """What a run was trained with, but for its seed, its place and what only watched it.

    Runs with the same setting form a group, which has a mean over seeds.

    Args:
        config: a run's configuration.
    """
    flat = _flat(config)
    if flat.pop(f"trainer.{REASON}", None) is not None:  # the seeds of a sweep may come from different machines
        flat["trainer.precision"] = AUTO
    place = str(flat.get("output_dir"))
    return tuple(
        (key, str(value))
        for key, value in sorted(flat.items())
        if not any(kind.fullmatch(key) for kind in (PLACES, WATCHERS, SEEDS)) and place not in str(value)
    )


def distinguish(one: Setting, group: Iterable[Setting]) -> str:
    """The entries of one setting that not all settings share, as on a command line."""
    shared = set.intersection(*(set(other) for other in group))
    return " ".join(f"{key}={value}" for key, value in one if (key, value) not in shared)


def changes(before: Mapping, now: Mapping) -> dict[str, tuple[object, object]]:
    """The values of each key in which two configurations differ, places apart."""
    old, new = _flat(before), _flat(now)
    return {
        key: (old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) and not PLACES.fullmatch(key) and key != f"trainer.{REASON}"
    }


def labels(configs: Sequence[Mapping]) -> list[str]:
    """For each run what it was trained with and the others were not: ``loss=adversarial.Minimax seed=2``.

    Of several keys that divide the runs alike (``seed`` and ``data.seed``) the first one is taken, top-level
    keys before choices of a class before the rest.
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
    """Dotted keys to values, interpolations resolved."""
    return flatten(OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config)


def _short(key: str) -> str:
    return key.removesuffix("._target_").removesuffix(".generator")


def _brief(value: object) -> str:
    """Of ``gan.losses.adversarial.Minimax`` the last two names."""
    return ".".join(value.split(".")[-2:]) if isinstance(value, str) else str(value)
