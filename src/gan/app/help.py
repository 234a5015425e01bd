"""Parts of ``--help``: common options with their defaults, and one line for each choice.

Both are read from the configuration files, including those in the user's folders. This module does not import torch.
"""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigSource
from omegaconf import DictConfig, OmegaConf

WIDTH = 100  # columns
#: groups that only another command than train.py has
OTHERS = {"format"}


def list_choices(*groups: str) -> str:
    """A paragraph for each group: its name, and each choice with the first line of its file.

    Args:
        groups: the groups; if none is given, all of train.py except Hydra's own.
    """
    loader = GlobalHydra.instance().config_loader()
    return "\n".join("\n".join(_paragraph(loader, group)) for group in groups or _groups(loader))


def show_option(key: str, *, _root_: DictConfig) -> str:
    """``KEY=DEFAULT``, padded to the width of a table column."""
    value = OmegaConf.select(_root_, key)
    shown = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return f"{key}={shown}".ljust(34)


def _groups(loader: ConfigLoader, parent: str = "") -> Iterator[str]:
    for name in loader.list_groups(parent):
        group = f"{parent}/{name}".lstrip("/")
        if group not in {"hydra", *OTHERS} and loader.get_group_options(group, ObjectType.CONFIG):
            yield group
        if group != "hydra":
            yield from _groups(loader, group)


def _paragraph(loader: ConfigLoader, group: str) -> Iterator[str]:
    choices = loader.get_group_options(group, ObjectType.CONFIG)
    yield f"{group}:"
    width = max(map(len, choices), default=0)
    for choice in choices:
        line = f"  {choice.ljust(width)}  {describe(loader, group, choice)}".rstrip()
        yield line if len(line) <= WIDTH else line[: WIDTH - 1].rsplit(" ", 1)[0] + " …"


def describe(loader: ConfigLoader, group: str, choice: str) -> str:
    """The first header line of a choice's file; the empty string without a header."""
    for source in loader.get_sources():
        if source.is_config(f"{group}/{choice}"):
            for line in _text(source, f"{group}/{choice}.yaml").splitlines():
                if not line.startswith("# @package"):
                    return line.removeprefix("# ").rstrip(".") if line.startswith("# ") else ""
    return ""


def _text(source: ConfigSource, path: str) -> str:
    """The text of a configuration file; the empty string if only Hydra can read it."""
    places = {"file": Path, "pkg": lambda name: files(name.replace("/", "."))}
    if source.scheme() not in places:
        return ""
    return places[source.scheme()](source.path).joinpath(path).read_text(encoding="utf-8")


OmegaConf.register_new_resolver("choices", list_choices, replace=True)
OmegaConf.register_new_resolver("option", show_option, replace=True)
