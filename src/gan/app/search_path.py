"""The configuration files of a command line: those in ``conf/``, then those in the user's folders.

Hydra searches ``conf/``, the folder of ``--config-dir`` and the list ``hydra.searchpath``, in this order. This module
does the same search before Hydra starts. It does not import torch.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override, OverrideType
from hydra.plugins.config_source import ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gan.core.errors import UserError, did_you_mean
from gan.runs.foreign import read_yaml

CONF = Path(__file__).parents[3] / "conf"
# A side that is no whole number is left as it is; the class that gets it raises the error.
OmegaConf.register_new_resolver("square", lambda side: side * side if isinstance(side, int) else side, replace=True)
SEARCH_PATH = "hydra.searchpath"


@dataclass
class ConfigFiles:
    """The files of one search path.

    Args:
        loader: Hydra's, with ``conf/`` and the folder of ``--config-dir``.
        config_name: the file that holds the defaults.
        overrides: the overrides of ``hydra.searchpath``, as written.
        own: the user's folders and packages.
    """

    loader: ConfigLoader
    config_name: str
    overrides: list[str]
    own: list[ConfigSource]
    _known: dict[tuple[str, ObjectType], list[str]] = field(default_factory=dict)

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration with these overrides."""
        return compose(self.config_name, [*self.overrides, *overrides])

    def choices(self, group: str) -> list[str]:
        """The files of a group."""
        return self._listed(group, ObjectType.CONFIG)

    def is_group(self, key: str) -> bool:
        """Whether ``optim/schedule`` is a group of files."""
        parent, _, name = key.rpartition("/")
        return name in self._listed(parent, ObjectType.GROUP)

    def default(self, group: str) -> str | None:
        """The choice of a group in the file of the defaults; None if an override cannot choose from this group."""
        defaults = self.loader.compute_defaults_list(self.config_name, self.overrides, RunMode.RUN).defaults
        paths = (str(default.config_path) for default in defaults if default.override_key == group)
        return next((path.rpartition("/")[2] for path in paths), None)

    @property
    def groups(self) -> list[str]:
        """The top-level groups."""
        return self._listed("", ObjectType.GROUP)

    def places(self, overrides: Sequence[str]) -> dict[str, str]:
        """Where files of a group are put under a key of another name: the key, and how an override names both.

        Args:
            overrides: those that choose.

        Returns:
            such as ``model.generator.normalization`` to ``normalization@model.generator.normalization``.
        """
        chosen = self.loader.compute_defaults_list(self.config_name, [*self.overrides, *overrides], RunMode.RUN)
        keys = (default.override_key for default in chosen.defaults if "@" in (default.override_key or ""))
        return {key.partition("@")[2]: key for key in keys}

    def unreadable(self) -> str:
        """``FILE: `` for a user's file that is not valid YAML; the empty string if all are valid."""
        for source in self.own:
            for path in sorted(Path(source.path).rglob("*.yaml")) if source.scheme() == "file" else ():
                try:
                    OmegaConf.load(path)
                except (OmegaConfBaseException, YAMLError, ValueError):
                    return f"{path}: "
        return ""

    def check_hidden(self, overrides: Sequence[str]) -> None:
        """Raises UserError for a user's file that Hydra would ignore, because an earlier one has the same name.

        Args:
            overrides: the overrides that choose from groups; only the chosen files are checked.
        """
        if not self.own:
            return
        chosen = self.loader.compute_defaults_list(self.config_name, [*self.overrides, *overrides], RunMode.RUN)
        sources = [_source(str(CONF)), *self.own]
        for path in dict.fromkeys(default.config_path for default in chosen.defaults):
            holders = [source for source in sources if path and source.is_config(path)]
            for hidden in holders[1:]:
                if hidden.load_config(path).config != holders[0].load_config(path).config:
                    raise UserError(
                        f"{path}.yaml in {hidden.path} would not be read: {holders[0].path} comes first and has a file "
                        "of this name too; give yours another name."
                    )

    def _listed(self, group: str, kind: ObjectType) -> list[str]:
        if (group, kind) not in self._known:  # cached, because Hydra reads the defaults for each call
            self._known[group, kind] = self.loader.get_group_options(group, kind, self.config_name, self.overrides)
        return self._known[group, kind]


@contextmanager
def config_files(
    config_name: str, config_dir: str | None = None, overrides: Sequence[Override] = ()
) -> Iterator[ConfigFiles]:
    """The configuration files of a command line.

    Args:
        config_name: the file that holds the defaults.
        config_dir: the folder of ``--config-dir``.
        overrides: all overrides; only those of ``hydra.searchpath`` are used.

    Raises:
        UserError: a folder or package that does not exist.
    """
    given = [override for override in overrides if override.key_or_group == SEARCH_PATH]
    for override in given:
        if override.type != OverrideType.CHANGE:
            raise UserError(f"{override.input_line}: write {SEARCH_PATH}=[FOLDER,…], all folders in one list.")
    if len(given) > 1:
        raise UserError(f"{SEARCH_PATH} is given {len(given)} times; name all folders in one list.")
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        _hide_plugins_files()
        own = [] if config_dir is None else [_config_dir(config_dir)]
        for override in given:
            own += [_own(str(place)) for place in override.value()] if isinstance(override.value(), list) else []
        loader = GlobalHydra.instance().config_loader()
        if config_dir is not None:  # same as in Hydra's main
            path = f"file://{Path(config_dir).resolve()}"
            loader.get_search_path().prepend("command-line", path, SearchPathQuery(provider="schema"))
            loader.repository.initialize_sources(loader.get_search_path())
        yield ConfigFiles(loader, config_name, [str(override.input_line) for override in given], own)


def _hide_plugins_files() -> None:
    """Removes the configurations that plugins bring along where ``conf/hydra/`` has its own of the same name.

    Hydra would merge the two, with a warning.
    """
    brought = ConfigStore.instance().repo.get("hydra", {})
    for file in (CONF / "hydra").glob("*/*.yaml"):
        brought.get(file.parent.name, {}).pop(file.name, None)


def _config_dir(folder: str) -> ConfigSource:
    """The source of ``--config-dir``; raises UserError if there is no such folder."""
    path = Path(folder).resolve()
    if not path.is_dir():
        beside = [other.name for other in path.parent.iterdir() if other.is_dir()] if path.parent.is_dir() else []
        raise UserError(f"--config-dir {folder}: no such folder ({path}).{did_you_mean(path.name, beside)}")
    return _source(str(path))


def _own(place: str) -> ConfigSource:
    """The source of one entry of ``hydra.searchpath``; raises UserError if it does not exist."""
    source = _source(place)
    if not source.available():
        expected = (
            f"no such folder ({Path(source.path).resolve()})"
            if source.scheme() == "file"
            else "no such package; it must be on the Python path, with an __init__.py in the folder of the YAML files"
        )
        raise UserError(f"{SEARCH_PATH}: {place}: {expected}.")
    return source


def _source(place: str) -> ConfigSource:
    scheme = place.partition("://")[0] if "://" in place else "file"
    try:
        return SourcesRegistry.instance().resolve(scheme)("own", place)
    except ValueError as error:
        raise UserError(f"{SEARCH_PATH}: {place} is neither a folder nor file://FOLDER nor pkg://PACKAGE.") from error


def recorded(run: Path) -> tuple[list[str], list[str]]:
    """The options and overrides that restore a run's own configuration files; empty if it had none.

    Args:
        run: the run's folder, with Hydra's records in ``.hydra/``.

    Raises:
        UserError: a folder no longer exists.
    """
    record = run / ".hydra" / "hydra.yaml"
    if not record.is_file():
        return [], []
    sources, start, config_name = _recorded_sources(record)
    options, places = [], []
    for provider, schema, place in sources:  # conf/ and Hydra's own files are always available
        if provider == "command-line":
            options.append(f"--config-dir={_still_there(place, start, run)}")
        elif provider.startswith(SEARCH_PATH):
            path = _still_there(place, start, run) if schema == "file" else place
            places.append(f"{schema}://{path}")
    if not (CONF / f"{config_name}.yaml").is_file():
        options.append(f"--config-name={config_name}")
    quoted = ("'" + place.replace("\\", "\\\\").replace("'", "\\'") + "'" for place in places)
    return options, [f"{SEARCH_PATH}=[{','.join(quoted)}]"] if places else []


def _recorded_sources(record: Path) -> tuple[list[tuple[str, str, str]], str, str]:
    """The sources (provider, schema, path), the working directory and the primary file in Hydra's record of a run.

    Raises:
        UserError: the file is another one.
    """
    try:
        content: Any = read_yaml(record)
        settings = content["hydra"]
        sources = [(each["provider"], each["schema"], each["path"]) for each in settings["runtime"]["config_sources"]]
        start, name = settings["runtime"]["cwd"], settings["job"]["config_name"]
    except (KeyError, TypeError) as error:
        raise UserError(f"{record} is not Hydra's record of a run of train.py.") from error
    texts = [start, name, *(text for source in sources for text in source)]
    if not all(isinstance(text, str) for text in texts) or not re.fullmatch(r"[\w-]+", name):
        raise UserError(f"{record} is not Hydra's record of a run of train.py.")
    return sources, start, name


def _still_there(folder: str, start: str, run: Path) -> Path:
    """The absolute path of a recorded folder, which may be relative to the working directory of the run."""
    path = Path(start, folder)
    if not path.is_dir():
        raise UserError(
            f"{path} is gone, where the run in {run} had configuration files from; "
            "give the folder that has them now: --config-dir FOLDER."
        )
    return path
