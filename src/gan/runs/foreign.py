"""Reads records of a run that another person may have written: plain values within limits, nothing is executed.

This module does not import torch.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader
from omegaconf.errors import OmegaConfBaseException

from gan.core.errors import UserError, one_line

#: limits of a record, ten times those of the largest preset
MAX_BYTES, MAX_VALUES, MAX_DEPTH = 1_000_000, 10_000, 50
#: interpolations that read nothing outside the configuration
INSIDE = re.compile(
    r"\$\{(?:(?P<key>\w[\w.@]*)|now:[^{}$]*|oc\.select:(?P<optional>\w[\w.]*),(?P<default>null|-?[\d.]+))\}"
)


def check_plain(value: object, source: str) -> None:
    """Raises UserError unless a value consists of mappings, lists, text, numbers, booleans and null, within limits.

    Aliases (of YAML, or of a pickle) count as often as they are used: a few lines may stand for 10⁹ values.
    """
    waiting, count = [(value, 0)], 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MAX_VALUES or depth > MAX_DEPTH:
            raise UserError(
                f"{source} holds more than {MAX_VALUES:,} values or {MAX_DEPTH} levels: no run has so many."
            )
        if isinstance(node, dict):
            waiting += ((item, depth + 1) for pair in node.items() for item in pair)
        elif isinstance(node, list):
            waiting += ((item, depth + 1) for item in node)
        elif type(node) not in (str, int, float, bool, type(None)):
            raise UserError(f"{source} holds a {type(node).__name__}: expected text, numbers, lists and mappings.")


def check_resolved(value: object, source: str) -> None:
    """Raises UserError for an interpolation such as ``${oc.env:HOME}``: a checkpoint holds the values themselves."""
    for key, text in texts(value):
        if "${" in text:
            raise UserError(
                f"{source}: {shorten(key)}={shorten(text)} is an interpolation; a checkpoint holds only values."
            )


def check_interpolations(text: str, source: str) -> None:
    """Raises UserError for an interpolation that calls a resolver, which may read the environment or a file."""
    if "${" in INSIDE.sub("", text):
        raise UserError(f"{source}: {shorten(text)} is not followed; write its value on the command line.")


def read_yaml(path: Path) -> object:
    """The values of a YAML file, with interpolations as text; raises UserError for any other file."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} has more than {MAX_BYTES:,} bytes: no record of a run has so many.")
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=get_yaml_loader())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a YAML file ({one_line(error)[:150]}).") from error
    check_plain(value, str(path))
    return value


def resolve(config: Mapping, source: str) -> dict:
    """A configuration with its interpolations replaced, as OmegaConf does, but within the limits.

    Text with an interpolation that calls a resolver, such as ``${oc.env:HOME}``, stays as it is.

    Raises:
        UserError: an interpolation that names a missing key or refers to itself.
    """
    left = MAX_VALUES

    def resolved(node: object, depth: int) -> object:
        nonlocal left
        left -= 1 + (len(node) // 100 if isinstance(node, str) else 0)
        if left < 0 or depth > MAX_DEPTH:
            raise UserError(f"{source}: its interpolations refer to themselves, or stand for too many values.")
        if isinstance(node, dict):
            return {key: resolved(value, depth + 1) for key, value in node.items()}
        if isinstance(node, list):
            return [resolved(value, depth + 1) for value in node]
        if not isinstance(node, str) or "${" not in node or "${" in INSIDE.sub("", node):
            return node
        whole = INSIDE.fullmatch(node)
        return follow(whole, depth) if whole else INSIDE.sub(lambda found: str(follow(found, depth)), node)

    def follow(found: re.Match, depth: int) -> object:
        if (key := found["key"] or found["optional"]) is None:
            return found[0]  # ${now:…}
        target: object = config
        for name in key.split("."):
            if not isinstance(target, dict) or name not in target:
                if found["optional"]:
                    return yaml.safe_load(found["default"])
                raise UserError(f"{source}: ${{{key}}} names a key that is not there.")
            target = target[name]
        return resolved(target, depth + 1)

    return {key: resolved(value, 1) for key, value in config.items()}


def texts(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """All text of a plain value, with its dotted key; names of keys count too."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        where = f"{key}.{name}" if key else str(name)
        if isinstance(name, str):
            yield where, name
        if isinstance(inner, str):
            yield where, inner
        yield from texts(inner, where)


def to_config(config: object, source: str):
    """A foreign configuration as a DictConfig; raises UserError if it is not a mapping of plain values."""
    check_plain(config, source)
    if not isinstance(config, dict):
        raise UserError(f"{source} holds a {type(config).__name__} in place of a configuration.")
    check_resolved(config, source)
    try:
        return OmegaConf.create(config)
    except (OmegaConfBaseException, ValueError) as error:
        raise UserError(f"{source}: {one_line(error)}.") from error


def shorten(value: object) -> str:
    """A foreign value in a message: printable, at most 80 characters."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value))
    return text if len(text) <= 80 else f"{text[:79]}…"
