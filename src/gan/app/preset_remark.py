"""Errors name keys that the user has not typed: those of a preset. This module does not import torch."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from gan.app.search_path import CONF


def remark(message: str, overrides: Sequence[str], preset: str | None, folder: Path = CONF) -> str:
    """`` (experiment=NAME sets KEY)`` if the preset sets the key at the start of the message and no override does.

    Args:
        message: of an error; it starts with a dotted key.
        overrides: the words of the command line.
        preset: the chosen ``experiment``.
        folder: the configuration files.
    """
    key = re.match(r"[a-z_]+(?:\.\w+)*", message)
    path = folder / "experiment" / f"{preset}.yaml"
    if key is None or not preset or not path.is_file():
        return ""
    top = key[0].partition(".")[0]
    typed = [re.sub(r"^[+~]*([\w/.]+).*$", r"\1", word, flags=re.DOTALL) for word in overrides]
    if top not in keys_of(path) or any(re.split(r"[/.]", word)[0] == top for word in typed):
        return ""
    return f" (experiment={preset} sets {top})"


def keys_of(path: Path) -> Collection[str]:
    """The groups that a preset chooses and the first parts of the keys that it sets."""
    text = path.read_text(encoding="utf-8")
    config = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    return {str(name) for name in config if name != "defaults"} | set(re.findall(r"override /(\w+)", text))
