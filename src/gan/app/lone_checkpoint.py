"""A checkpoint without its run's folder: the configuration inside it stands in for the command line of its run."""

import logging
from collections.abc import Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from gan.app.resume import CommandLine
from gan.app.search_path import CONF
from gan.core.containers import flatten
from gan.core.errors import UserError
from gan.runs import checkpoint
from gan.runs.foreign import read_yaml
from gan.runs.identity import AUTO, REASON
from gan.runs.trust import check_targets, targets

log = logging.getLogger(__name__)

#: parts that do not train, and places: they are those of this command line
OBSERVERS = frozenset(("callbacks", "logger", "metrics", "figures", "objective", "output_dir", "ckpt_path"))


def restore(cfg: DictConfig, words: Sequence[str], line: CommandLine) -> None:
    """Replaces what trains in ``cfg`` by the configuration in ``cfg.ckpt_path``, with the given values on top.

    Args:
        cfg: the composed configuration; changed in place.
        words: the overrides from which it was composed.
        line: the command line, for the classes that the user vouches for.

    Raises:
        UserError: the checkpoint names a class that may not be built, or the words choose another part than it has.
    """
    source = f"ckpt_path={cfg.ckpt_path}"
    config = checkpoint.read(cfg.ckpt_path)["hyper_parameters"]
    saved = {name: value for name, value in config.items() if name not in OBSERVERS}
    check_targets(saved, source, line.trust, line.accepted)
    overrides = [one for one in OverridesParser.create().parse_overrides(list(words)) if trains(one)]
    choices = [one for one in overrides if is_choice(one)]
    check_choices(choices, cfg, saved)
    log.info("%s has no record of its run beside it; the configuration inside it is used", cfg.ckpt_path)
    restored = linked(saved, cfg)
    with open_dict(cfg):
        for name, value in restored.items():
            cfg[name] = value
        for one in choices:
            if one.key_or_group == "trainer":
                own: Any = read_yaml(CONF / "trainer" / f"{one.value()}.yaml")
                cfg.trainer.update({key: value for key, value in own.items() if key != "defaults"})
    ConfigLoaderImpl._apply_overrides_to_config([one for one in overrides if one not in choices], cfg)


def trains(override: Override) -> bool:
    """Whether an override is one of a key or group that the checkpoint's configuration replaces."""
    top = override.key_or_group.replace("/", ".").partition(".")[0]
    return top not in OBSERVERS and top != "hydra"


def is_choice(override: Override) -> bool:
    """Whether an override chooses a file of a group."""
    return override.package is not None or (CONF / override.key_or_group).is_dir() or "/" in override.key_or_group


def check_choices(choices: Sequence[Override], cfg: DictConfig, saved: dict) -> None:
    """Raises UserError for a choice of other classes than the checkpoint has; what is equal may be repeated."""
    composed = OmegaConf.to_container(cfg, resolve=False)
    for one in choices:
        top = one.key_or_group.partition("/")[0]
        names = [top] if top in composed else [name for name in composed if name not in OBSERVERS]
        if top != "trainer" and any(
            list(targets(composed[name], name)) != list(targets(saved.get(name), name)) for name in names
        ):
            raise UserError(
                f"{one.input_line} is not what the checkpoint {cfg.ckpt_path} was trained with. Without its run's "
                "folder only single keys can be changed, such as trainer.max_epochs=40, and the groups trainer, "
                "callbacks, logger, metrics and figures."
            )


def linked(saved: dict, cfg: DictConfig) -> dict:
    """The saved values; one that an interpolation of ``cfg`` gives is replaced by it, and so follows a change.

    ``data.seed`` thus follows ``seed``, and ``trainer.max_epochs`` follows ``recipe.epochs``.
    """
    whole = OmegaConf.create(saved)
    if whole.trainer.pop(REASON, None) is not None:
        whole.trainer.precision = AUTO
    values = flatten(saved)
    for key, text in flatten(OmegaConf.to_container(cfg, resolve=False)).items():
        if key in values and isinstance(text, str) and "${" in text:
            before = OmegaConf.select(whole, key)
            OmegaConf.update(whole, key, text)
            try:
                follows = OmegaConf.select(whole, key) == before
            except OmegaConfBaseException:
                follows = False
            if not follows:
                OmegaConf.update(whole, key, before)
    return OmegaConf.to_container(whole, resolve=False)
