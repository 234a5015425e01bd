"""Checks the overrides of a command line before Hydra applies them: each must name an existing key or choice.

This module does not import torch.
"""

import difflib
import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, OverrideType
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gan.app.search_path import CONF, ConfigFiles, config_files
from gan.app.several_processes import is_helper
from gan.core.containers import flatten
from gan.core.errors import UserError, did_you_mean, one_line
from gan.runs.launch import is_requeued

#: groups whose parts are built one by one: the user can remove any part and add others
COLLECTIONS = ("callbacks", "logger", "figures", "metrics", "penalty", "auxiliary", "view")
ADDING = (OverrideType.ADD, OverrideType.FORCE_ADD)


def check(arguments: Sequence[str], config_name: str, sweep: bool = False, config_dir: str | None = None) -> DictConfig:
    """Checks every override of a command line.

    Args:
        arguments: the overrides as written.
        config_name: the file that holds the defaults.
        sweep: whether they describe several jobs.
        config_dir: the user's folder of configuration files, ``--config-dir``.

    Returns:
        The configuration composed of the chosen files alone, without single values.

    Raises:
        UserError: an override names an unknown key or choice (the message names the closest one), or a missing folder.
    """
    try:
        overrides = OverridesParser.create().parse_overrides(list(arguments))
    except HydraException as error:
        raise UserError(f"{one_line(error)}. Quote values with special characters: 'key=\"D(x)\"'.") from error
    with config_files(config_name, config_dir, overrides) as files:
        keys = []
        for override in overrides:
            if not override.key_or_group:
                raise UserError(f"{override.input_line}: no key is named; write KEY=VALUE.")
            if override.key_or_group in ("output_dir", "hydra.run.dir"):
                _check_folder(override, sweep)
            if files.is_group(override.key_or_group):
                _check_choice(override, files)
            elif not override.is_hydra_override():
                keys.append(override)
        choices = _choices(overrides, files)
        try:
            files.check_hidden(choices)
            plain = files.compose(choices)
            named = any(files.is_group(override.key_or_group.rpartition(".")[2]) for override in keys)
            places = files.places(choices) if named else {}  # it reads the files once more
        except ConfigCompositionException as error:
            raise UserError(_unplaced(error, overrides) or f"{one_line(error)}.") from error
        except (OmegaConfBaseException, YAMLError, ValueError) as error:
            raise UserError(f"{files.unreadable()}{one_line(error)}.") from error
    built = _built(overrides)
    for override in keys:
        if (key := override.key_or_group) in places and isinstance(override.value(), str):
            raise UserError(f"{override.input_line}: write {places[key]}={override.value()}.")
        _check_key(override, plain, built, files.groups)
    return plain


def _check_folder(override: Override, sweep: bool) -> None:
    """Raises UserError for a folder that already holds a run, or for a single folder for all jobs of a sweep."""
    key, folder = override.key_or_group, override.value()
    if sweep:
        raise UserError(f"{key} is one run's folder; in a sweep give hydra.sweep.dir=FOLDER.")
    if folder is None or folder == "":  # 0 is a name
        raise UserError(f"{key} is empty; give the folder for this run.")
    if (Path(str(folder)) / "checkpoints").exists() and not (is_helper() or is_requeued()):
        resume = shlex.quote(f"ckpt_path={Path(str(folder)) / 'checkpoints' / 'last.ckpt'}")
        raise UserError(
            f"{key}={folder} holds a run already, which is not overwritten; choose another folder (to resume that "
            f"run: {resume})."
        )


def _check_choice(override: Override, files: ConfigFiles) -> None:
    """Raises UserError for an unknown choice such as ``model=mpl``; the message lists the choices."""
    if override.type == OverrideType.DEL:
        return
    group = override.key_or_group
    choices = files.choices(group)
    several = (value if isinstance(value, list) else [value] for value in _values(override))
    for value in itertools.chain.from_iterable(several):  # metrics=[parzen,…] has several choices
        if value is not None and str(value) not in choices:
            near = _nearest(str(value), choices, files)
            raise UserError(f"{group}={value}: no such choice.{near} There are: {', '.join(choices)}.")
        if value is not None:
            _check_installed(group, str(value))


def _nearest(name: str, choices: Sequence[str], files: ConfigFiles) -> str:
    """`` Did you mean experiment=wgan or 'lsgan'?``: the preset of this name, and the closest choice; empty if there is
    neither."""
    near = did_you_mean(name, choices)
    if name not in files.choices("experiment") or files.default("experiment") in (name, None):
        return near
    return near.replace("mean", f"mean experiment={name} or", 1) or f" Did you mean experiment={name}?"


def _check_installed(group: str, choice: str) -> None:
    """Raises UserError if the header of a choice's file names a package that is not installed.

    The line is ``# Requires: MODULE: COMMAND``, with the command that installs it.
    """
    file = CONF / group / f"{choice}.yaml"
    header = file.read_text(encoding="utf-8") if file.is_file() else ""
    for module, command in re.findall(r"^# Requires: ([\w.]+): (.+)$", header, re.MULTILINE):
        if find_spec(module) is None:
            raise UserError(f"{group}={choice}: {module.rpartition('.')[2]} is not installed: {command}")


def _unplaced(error: ConfigCompositionException, overrides: Sequence[Override]) -> str | None:
    """One line for an override of a group at a key that no chosen file gives to the group; None for other errors."""
    message = " ".join(str(error).split())
    if (found := re.match(r"Could not override '(.+?)'", message)) is None:
        return None
    written = next((o.input_line for o in overrides if o.get_key_element().lstrip("+~") == found[1]), found[1])
    places = re.search(r"Did you mean to override (?:one of )?(.+?)\?", message)
    return f"{written}: no chosen file uses this group here.{f' There are: {places[1]}.' if places else ''}"


def _check_key(override: Override, cfg: DictConfig, built: set[str], groups: Sequence[str]) -> None:
    """Raises UserError for a key that the configuration does not have.

    A new key (``+key=value``) must be an argument of a class that is built from its mapping, or of Lightning's Trainer.
    These raise their own errors for unknown arguments. The class may be the user's own, defined on the same command
    line: ``+callbacks.mine._target_=my.module.Callback +callbacks.mine.margin=2``.

    Args:
        override: the override.
        cfg: the configuration composed of the choices alone.
        built: the mappings to which the command line gives a class.
        groups: the groups; the mapping of a group exists even if nothing is chosen.
    """
    key, new = override.key_or_group, override.type in ADDING
    names = key.split(".")
    parent, node = cfg, cfg
    for depth, name in enumerate(names):
        where = ".".join(names[:depth])
        known = {str(each) for each in node} if OmegaConf.is_dict(node) else set()
        if name in known:
            parent, node = node, node._get_node(name)  # the raw node, without resolving interpolations
            if node._is_none() or node._is_missing():
                node = OmegaConf.create()
            continue
        if depth == 0 and name in groups and len(names) > 1:
            node = OmegaConf.create()
            continue
        of_new_class = any(".".join(names[:length]) in built for length in range(1, depth + 1))
        is_new_class = depth > 0 and f"{where}.{name}" in built
        is_argument = depth == len(names) - 1 and ("_target_" in known or where == "trainer")
        if new and OmegaConf.is_dict(node) and (of_new_class or is_new_class or is_argument):
            return
        hint = did_you_mean(name, known) or (_elsewhere(name, cfg) if depth == 0 else "")
        if not new and (of_new_class or (is_new_class and not hint)):
            hint += f" Write +{override.input_line} for a new one."
        hint += f" There are: {', '.join(map(str, node))}." if known else ""
        raise UserError(f"{key}: {where or 'the configuration'} has no key '{name}'.{hint}")
    is_part = "_target_" in parent or (OmegaConf.is_dict(node) and "_target_" in node)
    if override.type == OverrideType.DEL and not is_part and names[0] not in COLLECTIONS:
        raise UserError(f"{key} cannot be removed, only set.")


def _elsewhere(name: str, cfg: DictConfig) -> str:
    """`` Did you mean recipe.lr?`` for a name equal or close to the last part of a dotted key; else empty."""
    keys = sorted(
        flatten(OmegaConf.to_container(cfg, resolve=False)), key=lambda key: ("recipe." not in key, key.count("."))
    )
    by_name: dict[str, list[str]] = {}
    for key in keys:
        by_name.setdefault(key.rpartition(".")[2], []).append(key)
    near = difflib.get_close_matches(name, by_name, n=1, cutoff=0.75)
    if not near or len(name) < 2:
        return ""
    return f" Did you mean {' or '.join(by_name[near[0]][:3])}?"


def _built(overrides: Sequence[Override]) -> set[str]:
    """The keys of mappings to which a command line gives a class, such as ``callbacks.mine`` for
    ``+callbacks.mine._target_=my.module.Callback`` or ``+callbacks.mine={_target_:my.module.Callback}``."""

    def targets(key: str, value: object) -> Iterator[str]:
        parent, _, name = key.rpartition(".")
        if name == "_target_":
            yield parent
        for inner, held in value.items() if isinstance(value, dict) else ():
            yield from targets(f"{key}.{inner}", held)

    given = [override for override in overrides if override.type != OverrideType.DEL]
    return {found for o in given for value in _values(o) for found in targets(o.key_or_group, value)}


def _choices(overrides: Sequence[Override], files: ConfigFiles) -> list[str]:
    """The overrides that choose from groups; for a sweep, with the first value."""
    chosen = [o for o in overrides if o.type != OverrideType.DEL and files.is_group(o.key_or_group)]
    return [f"{o.get_key_element()}={_values(o)[0]}".replace("'", "") for o in chosen if _values(o)]


def _values(override: Override) -> list[object]:
    """The values of an override: one, or several for a sweep over choices."""
    if isinstance(override.value(), Glob):
        return []  # Hydra itself expands model=glob(*)
    if override.is_choice_sweep():
        return list(override.sweep_iterator())
    return [override.value()]
