"""Instantiates parts of a configuration; an error names the key as the user writes it."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from gan.core.checks import ArgumentError
from gan.core.errors import UserError, did_you_mean, one_line
from gan.core.memory import lack_of_memory

#: arguments that every method takes, with the configuration keys of their values
SHARED = {"ema_decay": "ema.decay", "ema_power": "ema.power", "capture": "trainer.capture", "seed": "seed"}
#: keys that hold text or null
TEXTS = ("ckpt_path", "run", "checkpoint", "generator", "device", "folder", "select", "select_by")


def check_texts(cfg: DictConfig) -> None:
    """Raises UserError if a key that must hold text, such as a path, does not."""
    for key in TEXTS:
        if not isinstance(cfg.get(key), str | None):
            raise UserError(f"{key} must be text or null, got {cfg[key]}.")
    objective = cfg.get("objective")
    names = objective if OmegaConf.is_list(objective) else [objective]
    if not all(isinstance(name, str | None) for name in names):
        raise UserError(f"objective must be text, a list of texts or null, got {objective}.")


def check_references(cfg: DictConfig) -> None:
    """Raises UserError if a value refers to a key that the chosen parts do not have."""
    try:
        OmegaConf.to_container(cfg, resolve=True)
    except InterpolationResolutionError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{error.full_key}: {reason}; choose parts that go together.") from error


def lookup(cfg: DictConfig, key: str, default: Any = None) -> Any:
    """The value at a dotted key; raises UserError if a parent is not a mapping."""
    where, _, name = key.rpartition(".")
    parent = OmegaConf.select(cfg, where) if where else cfg
    if not OmegaConf.is_dict(parent):
        raise UserError(f"{where} must be a mapping of keys to values, got {parent or 'null'}.")
    return parent.get(name, default)


def chosen(cfg: DictConfig, key: str) -> bool:
    """Whether there is a part to build at ``key``.

    With the choice ``none``, keys may still remain that a preset set for its own choice.
    """
    node = OmegaConf.select(cfg, key)
    return bool(node) and (not OmegaConf.is_dict(node) or "_target_" in node)


def target_of(cfg: DictConfig, key: str) -> str:
    """The dotted path of the class at ``key``; raises UserError if there is none."""
    node = OmegaConf.select(cfg, key)
    if not OmegaConf.is_dict(node) or "_target_" not in node:
        group = key.rpartition(".")[0]
        around = OmegaConf.select(cfg, group) if group else None
        if OmegaConf.is_dict(around) and (target := around.get("_target_")):
            name = str(target).rpartition(".")[2].lower()
            raise UserError(
                f"{group} holds parts by their names: put the class and its arguments under a name of their own, "
                f"such as {name}: {{_target_: {target}}}."
            )
        raise UserError(f"{key} must be a mapping with a _target_ (a class to build), got {node}.")
    return node._target_


def part(cfg: DictConfig, key: str, **extra: Any) -> Any:
    """Instantiates the node at ``key``; an error names the key."""
    target_of(cfg, key)
    node = OmegaConf.select(cfg, key)
    if missing := OmegaConf.missing_keys(node):
        raise UserError(f"{min(missing)} is missing; give {min(missing)}=… on the command line.")
    return explain(key, node, instantiate, node, _convert_="all", **extra)


def parts(cfg: DictConfig, group: str) -> dict[str, Any]:
    """Instantiates the chosen parts of a group such as ``figures``, by their names.

    A choice may replace a part that a preset has settings for; what is left of that part has no class and is skipped.
    """
    node = cfg.get(group) or {}
    if not isinstance(node, dict | DictConfig):
        raise UserError(f"{group} must be a mapping of names to classes to build, got {node}.")
    keys = {name: f"{group}.{name}" for name in node}
    return {name: part(cfg, key) for name, key in keys.items() if chosen(cfg, key)}


def explain(key: str, node: DictConfig, make: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls ``make`` and converts its errors to one line that starts with the key."""
    try:
        return make(*args, **kwargs)
    except Exception as error:  # the constructor of each class has its own
        cause: BaseException = error
        where = key  # a nested part, such as callbacks.diagnosis.symptoms.oscillation
        while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
            inner = re.search(r"full_key: (\S+)$", str(cause))
            cause, where = cause.__cause__, inner[1] if inner else where
        if isinstance(cause, ArgumentError):
            inside = OmegaConf.select(node._get_root(), where)
            named = _written(where, inside if OmegaConf.is_dict(inside) else node, cause.name)
            raise UserError(f"{named} {cause.complaint}") from error
        if isinstance(cause, UserError):
            raise cause from (None if cause is error else error)
        if lacking := lack_of_memory(cause, node._get_root()):
            raise UserError(f"{key}: {lacking}") from error
        message = one_line(cause)
        unknown = re.search(r"unexpected keyword argument '(\w+)'", message)
        if unknown:
            words = {*node, *_parameters(node, make)} - {unknown[1]}
            raise UserError(f"{key} has no key '{unknown[1]}'.{did_you_mean(unknown[1], words)}") from error
        if isinstance(cause, TypeError | LookupError | AttributeError):  # Python's own message: add the arguments
            message += (
                f" (given {', '.join(f'{k}={v}' for k, v in node.items() if k[0] != '_')}{_expected(node, make)})"
            )
        raise UserError(f"{key}: {message}.") from error


def _parameters(node: DictConfig, make: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of the class that a node names, or else of ``make``."""
    return inspect.signature(get_object(node["_target_"]) if "_target_" in node else make).parameters


def _expected(node: DictConfig, make: Any) -> str:
    """The types and defaults of the arguments that a node gives, as the class declares them; empty if it does not."""
    try:
        declared = _parameters(node, make)
    except (ValueError, TypeError):  # a class of C, without a signature
        return ""
    typed = [str(one) for name, one in declared.items() if name in node and one.annotation is not one.empty]
    return f"; expected {', '.join(typed)}" if typed else ""


def _written(key: str, node: DictConfig, name: str) -> str:
    """How a user writes an argument of the part at ``key``: ``k`` if ``method.k`` is ``${k}``.

    The name may lead into the argument: ``image_shape[1]``, ``normalization.groups``.
    """
    found: Any = node
    for step in re.findall(r"[^.[\]]+", name):
        if OmegaConf.is_dict(found) and step in found:
            found = found._get_node(step)
        elif OmegaConf.is_list(found) and int(step) < len(found):
            found = found._get_node(int(step))
        else:
            return SHARED.get(name, f"{key}: {name}")
    followed = re.fullmatch(r"\$\{([\w.]+)\}", str(found._value()))
    return followed[1] if followed else f"{key}.{name}"
