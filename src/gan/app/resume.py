"""The command line of a resumed run: that of the checkpoint's run, then that of the user.

A run's folder may come from another person. Its record may set values and choose files of ``conf/``. It may not touch
Hydra itself, call resolvers, write outside the new run's folder, or name classes and configuration files of its own:
the user vouches for these with ``trust=PACKAGE``, or names them on the command line. This module does not import torch.
"""

import argparse
import importlib.util
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan.app.search_path import SEARCH_PATH, recorded
from gan.core.errors import UserError
from gan.runs.foreign import MAX_DEPTH, check_interpolations, read_yaml, shorten
from gan.runs.migrations import migrate_override

MAX_INTERPOLATIONS = 16  # in one record: 2⁸ copies at most
#: groups whose parts write files, and those of their arguments that name a place
WRITING = re.compile(r"\+*(callbacks|logger)([./@].*|$)")
PLACE = re.compile(r"(.*[._])?(folder|dir|dirpath|path|root|filename|uri|url)")
TRUST = re.compile(r"trust=(.*)", re.DOTALL)


@dataclass(frozen=True)
class CommandLine:
    """A command line, with what of it a record of another run has added.

    Attributes:
        words: the overrides and options for Hydra.
        record: the file with the added overrides; None if there are none.
        trust: the user's own packages, ``trust=``.
        accepted: pairs (role, class) that the user's command line and the configuration files name.
        needed_again: the words with which a resumed run finds the user's own classes and files.
        is_alone: whether ``ckpt_path`` names a checkpoint without the record of its run.
    """

    words: list[str]
    record: Path | None = None
    trust: tuple[str, ...] = ()
    accepted: frozenset[tuple[str | None, str]] = field(default_factory=frozenset)
    needed_again: tuple[str, ...] = ()
    is_alone: bool = False

    def check(self, cfg: DictConfig, words: Sequence[str]) -> None:
        """Takes the configuration in a lone checkpoint, composed of ``words``.

        Raises:
            UserError: the record or checkpoint has brought a class into the configuration that may not be built.
        """
        if self.is_alone:
            from gan.app.lone_checkpoint import restore  # it imports torch

            restore(cfg, words, self)
        if self.record is None:
            return
        from gan.runs.trust import check_targets  # it imports torch

        plain = OmegaConf.to_container(cfg, resolve=True)
        check_targets(plain, str(self.record), self.trust, self.accepted)


def accepted(named: DictConfig, given: Sequence[str]) -> frozenset[tuple[str | None, str]]:
    """The pairs (role, class) that are not foreign.

    Args:
        named: the configuration composed of the chosen files alone.
        given: the overrides that the user typed.
    """
    from gan.runs.trust import accept, role_of

    try:
        chosen = OmegaConf.to_container(named, resolve=True)
    except OmegaConfBaseException:  # a file that expects a key of the command line
        chosen = OmegaConf.to_container(named, resolve=False)
    typed = [OverridesParser.create().parse_override(word) for word in given if not word.startswith(("-", "~"))]
    leaf = [pair for one in typed for pair in leaves(one.value(), one.key_or_group)]
    classes = {(role_of(key.removesuffix("._target_")), text) for key, text in leaf if key.endswith("._target_")}
    return accept(chosen) | classes


def needed_again(typed: argparse.Namespace, trust: Collection[str]) -> tuple[str, ...]:
    """The words of a command line that the run's record may not bring: see :func:`check_words`."""
    options = [("--config-dir", typed.config_dir), ("--config-name", typed.config_name)]
    named = [f"{option}={value}" for option, value in options if value]
    own = [word for word in typed.overrides if key_of(word) == SEARCH_PATH or "_target_" in word]
    return *own, *(f"trust={name}" for name in trust), *named


def take_trust(argv: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """A command line without ``trust=PACKAGE``, and the packages: they are no part of the configuration."""
    from gan.runs.trust import packages

    given = [found[1] for word in argv if (found := TRUST.fullmatch(word))]
    names = [name.strip(" '\"") for text in given for name in text.strip("[]'\" ").split(",") if name.strip()]
    return [word for word in argv if not TRUST.fullmatch(word)], packages(names)


def with_record(
    argv: Sequence[str], parsed: Callable[[Sequence[str]], argparse.Namespace], trust: Collection[str] = ()
) -> tuple[list[str], Path | None]:
    """The command line of the checkpoint's run, followed by the overrides of this command line; and the run's record.

    ``ckpt_path=RUN/checkpoints/last.ckpt`` alone thus resumes with the run's model, data and loss. Other options on the
    command line override the saved ones.

    Raises:
        UserError: the record holds something that may not be replayed, or names a folder of configuration files; or
            ``ckpt_path`` names several checkpoints, whose runs have different options.
    """
    arguments = parsed(argv)
    given = {key_of(override): override for override in arguments.overrides}
    if "ckpt_path" not in given:
        return list(argv), None
    place = list(argv).index(given["ckpt_path"])
    run = Path(checkpoint_of(argv[place])).resolve().parent.parent
    file = run / ".hydra" / "overrides.yaml"
    if not file.is_file():
        return list(argv), None
    kept = [word for word in read_words(file) if key_of(word) not in {*given, "output_dir", "hydra.run.dir"}]
    own = arguments.config_dir or arguments.config_name or SEARCH_PATH in given
    options, path = ([], []) if own else recorded(run)
    path += [word for word in kept if key_of(word) == SEARCH_PATH and not (own or path)]  # of a run of gan.train
    kept = [word for word in kept if key_of(word) != SEARCH_PATH]
    check_words(kept, file)
    if not all(vouched(folder, trust) for word in (*options, *path) for folder in places(word)):
        raise UserError(
            f"the run in {run} had configuration files of its own, which are read only if you name them. "
            f"If they are yours, add: {shlex.join([*options, *path])}"
        )
    replayed = [*path, *kept]
    return [*argv[:place], *replayed, *argv[place:], *options], file if replayed or options else None


def is_alone(argv: Sequence[str]) -> bool:
    """Whether ``ckpt_path`` names a checkpoint that is not in a run's folder with its record."""
    path = next((checkpoint_of(word) for word in argv if key_of(word) == "ckpt_path" and "=" in word), "")
    return bool(path) and not (Path(path).resolve().parent.parent / ".hydra" / "overrides.yaml").is_file()


def checkpoint_of(word: str) -> str:
    """The path in ``ckpt_path=PATH``; empty for null, and for an override that :func:`check` will refuse."""
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        return ""
    if override.is_sweep_override():
        raise UserError(
            f"{word} names several checkpoints, and each run has options of its own: resume them one by one, "
            "ckpt_path=FILE. (A sweep that was stopped resumes all its jobs if the same command is started again.)"
        )
    return str(override.value() or "")


def read_words(file: Path) -> list[str]:
    """The overrides in a record, with current names; raises UserError if it is not a list of text."""
    words = read_yaml(file)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{file} is not a record of train.py: expected a list of KEY=VALUE.")
    return [migrate_override(word) for word in words]


def check_words(words: Sequence[str], file: Path) -> None:
    """Raises UserError for an override that a record may not bring."""
    for word in words:
        where = f"{file}: {shorten(word)}"
        key = key_of(word)
        if key is None or ".." in key or key.startswith("trust"):
            raise UserError(f"{where} is no KEY=VALUE of a run.")
        if re.match(r"hydra\b", key):
            raise UserError(f"{where}: a run's folder does not configure Hydra; give it on the command line.")
        check_interpolations(word, str(file))
        if (
            word.count("[") + word.count("{") + word.count("(") > 20 * MAX_DEPTH
            or sum(other.count("${") for other in words) > MAX_INTERPOLATIONS
        ):
            raise UserError(f"{where}: too many brackets or interpolations.")
        if word.startswith("~"):
            continue
        try:
            override = OverridesParser.create().parse_override(word)
        except (HydraException, RecursionError) as error:
            raise UserError(f"{where} is no override of a run.") from error
        if override.is_sweep_override():
            raise UserError(f"{where} stands for several values: expected those of one run.")
        if WRITING.fullmatch(key):
            check_places(override, where)


def check_places(override: Override, where: str) -> None:
    """Raises UserError if a callback or logger would write outside the new run's folder."""
    for name, text in leaves(override.value(), override.key_or_group):
        rest = text.removeprefix("${output_dir}")
        outside = rest.startswith("~") or "://" in rest or ".." in re.split(r"[/\\]", rest)
        if (text == rest and (outside or Path(text).is_absolute() or PLACE.fullmatch(name))) or outside or "${" in rest:
            raise UserError(f"{where} may lie outside the run's folder; give it on the command line if you want it.")


def leaves(value: object, key: str) -> Iterator[tuple[str, str]]:
    """The text in the value of an override, with dotted keys."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{key}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, key)
    elif isinstance(value, str | QuotedString):
        yield key, value.text if isinstance(value, QuotedString) else value


def places(word: str) -> list[str]:
    """The folders and packages of an option or override for configuration files."""
    if word.startswith("--config-name="):
        return []  # a file in those folders
    if word.startswith("--"):
        return [word.partition("=")[2]]
    try:
        value = OverridesParser.create().parse_override(word).value()
    except HydraException:
        return [word]
    return [text for _, text in leaves(value, "")]


def vouched(place: str, trust: Collection[str]) -> bool:
    """Whether a place of configuration files lies in a trusted package; the package is not imported."""
    package = place.removeprefix("pkg://")
    if package != place:
        return any(package.replace("/", ".") == name or package.startswith(f"{name}.") for name in trust)
    for name in trust:
        found = importlib.util.find_spec(name.partition(".")[0])
        for folder in (found.submodule_search_locations or ()) if found else ():
            if Path(place.removeprefix("file://")).resolve().is_relative_to(Path(folder).resolve()):
                return True
    return False


def key_of(override: str) -> str | None:
    """``model`` for ``model=mlp``, ``+model=mlp`` and ``~model``; None if the text is not an override."""
    match = re.match(r"(?:\+\+|\+|~)?([\w/.@]+)(?:=|$)", override)
    return match[1] if match else None
