"""From the command line to a task: Hydra does the work, this file makes its errors one line each.

Nothing here imports torch.
"""

import gc
import itertools
import logging
import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, OverrideType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from gan.core.errors import Stopped, UserError, did_you_mean, one_line
from gan.runs.migrations import migrate_override

log = logging.getLogger(__name__)

#: groups of parts that are built one by one, so that any may be left out and one's own added
COLLECTIONS = ("callbacks", "logger", "figures", "metrics", "penalty", "auxiliary")
CONF = Path(__file__).parents[3] / "conf"


def listed(*groups: str) -> str:
    """A line ``group: choice, choice`` for each of these groups, as ``$APP_CONFIG_GROUPS`` has one for every group."""
    lines = (f"{group}: {', '.join(sorted(path.stem for path in (CONF / group).glob('*.yaml')))}" for group in groups)
    return "\n".join(textwrap.fill(line, 98, subsequent_indent=" " * (line.index(":") + 2)) for line in lines)


# ${choices:metrics,features} in conf/hydra/help
OmegaConf.register_new_resolver("choices", listed, replace=True)

Task = Callable[[DictConfig], object]


def launch(load: Callable[[], Task], config_name: str) -> None:
    """Runs a task with the configuration that the command line describes; exits with a status.

    Args:
        load: imports what the task needs and returns it, once there is something to do: what to do with the
            composed configuration, its result going to a sweeper.
        config_name: the file in ``conf/`` that holds the defaults.
    """
    # Imports make a million objects that stay. To look through them for garbage takes a fifth of the start-up.
    gc.disable()
    try:
        _launch(load, config_name)
    finally:
        gc.enable()


def loaded(load: Callable[[], Task]) -> Task:
    """What ``load`` returns; from then on garbage is collected, and what was imported is never looked through."""
    task = load()
    if not gc.isenabled():  # in the first job of a sweep; what jobs leave is garbage
        gc.freeze()
        gc.enable()
    return task


def _launch(load: Callable[[], Task], config_name: str) -> None:
    wants_trace = os.environ.get("HYDRA_FULL_ERROR") == "1" and not _is_helper()
    failures: list[UserError] = []

    @hydra.main(config_path=str(CONF), config_name=config_name, version_base="1.3")
    def job(cfg: DictConfig) -> object:
        try:
            if "output_dir" in cfg:
                enter_run_folder(cfg)
            return loaded(load)(cfg)
        except UserError as error:
            if sweeping():
                raise  # Hydra goes on with the other jobs and fails at the end
            failures.append(error)
            if not _is_helper():
                log.error("error: %s", error)
            return None
        except Stopped as stopped:
            if not _is_helper():
                log.error("%s", stopped)
            raise

    try:
        words = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))  # argparse wants them first
        sys.argv[1:] = resumed(words)
        arguments = get_args_parser().parse_args()
        if not (arguments.help or arguments.hydra_help or arguments.shell_completion):
            check(arguments.overrides, config_name, sweep=arguments.multirun)
        # Otherwise Hydra would put a hint of its own below each error.
        os.environ["HYDRA_FULL_ERROR"] = "1"
        job()
    except KeyboardInterrupt:
        sys.exit(_say("interrupted", 130))
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
    except BrokenPipeError:  # as in `--help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (HydraException, OmegaConfBaseException, OSError) as error:
        if wants_trace:
            raise
        sys.exit(_say(f"error: {one_line(error)}", 1))
    if failures:
        if wants_trace:
            raise failures[0]
        sys.exit(1)


def enter_run_folder(cfg: DictConfig) -> None:
    """Points ``output_dir`` to the folder that Hydra has made for this run."""
    folder, here = Path(HydraConfig.get().runtime.output_dir), Path.cwd()
    cfg.output_dir = str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
    # Lightning reads it when it starts the other processes of a distributed run, which share the folder.
    settings = HydraConfig.instance().cfg.hydra
    with read_write(settings):
        settings.run.dir = cfg.output_dir


def sweeping() -> bool:
    """Whether this run is a job of ``-m``."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


# Going on from a checkpoint


def resumed(argv: Sequence[str]) -> list[str]:
    """The command line of the checkpoint's own run, with this one's words after it.

    ``ckpt_path=RUN/checkpoints/last.ckpt`` alone thus goes on with the run's model, data and loss;
    what is given beside it counts.
    """
    given = [_key(word) for word in argv]
    if "ckpt_path" not in given:
        return list(argv)
    place = given.index("ckpt_path")
    checkpoint = Path(argv[place].partition("=")[2].strip("'\"")).resolve()
    recorded = checkpoint.parent.parent / ".hydra" / "overrides.yaml"
    if not recorded.is_file():
        return list(argv)
    before = [migrate_override(word) for word in OmegaConf.to_container(OmegaConf.load(recorded), resolve=False)]
    kept = [word for word in before if _key(word) not in given and _key(word) not in ("output_dir", "hydra.run.dir")]
    return [*argv[:place], *kept, *argv[place:]]  # behind options such as -m


def _key(word: str) -> str | None:
    """``model`` of ``model=mlp``, ``+model=mlp`` and ``~model``; None for an option such as ``-m``."""
    match = re.match(r"(?:\+\+|\+|~)?([\w/.@]+)(?:=|$)", word)
    return match[1] if match else None


# Checking the words before Hydra acts on them


def check(words: Sequence[str], config_name: str, sweep: bool = False) -> None:
    """Raises UserError for a word that names no key or no choice, with the nearest that exists."""
    try:
        overrides = OverridesParser.create().parse_overrides(list(words))
    except HydraException as error:
        raise UserError(f"{one_line(error)}. Quote values with special characters: 'key=\"D(x)\"'.") from error
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        loader = _loader()
        groups = loader.list_groups("") + [f"optim/{name}" for name in loader.list_groups("optim")]
        for override in overrides:
            if not override.key_or_group:
                raise UserError(f"{override.input_line}: no key is named; write KEY=VALUE.")
            _check_choice(override, loader, groups)
        plain = compose(config_name, overrides=_choices(overrides, groups))
        for override in overrides:
            if override.key_or_group in ("output_dir", "hydra.run.dir"):
                _check_folder(override, sweep)
            if override.key_or_group not in groups and not override.key_or_group.startswith("hydra"):
                _check_key(override, plain)


def _check_folder(override: Override, sweep: bool) -> None:
    """Raises UserError for a folder that already holds a run, or one for all jobs of a sweep."""
    key, folder = override.key_or_group, override.value()
    if sweep:
        raise UserError(f"{key} is one run's folder; in a sweep give hydra.sweep.dir=FOLDER.")
    if not folder:
        raise UserError(f"{key} is empty; give the folder for this run.")
    if (Path(str(folder)) / "checkpoints").exists() and not _is_helper():
        raise UserError(
            f"{key}={folder} holds a run already, which is not overwritten; choose another folder (to go on with that "
            f"run: ckpt_path={Path(str(folder)) / 'checkpoints' / 'last.ckpt'})."
        )


def _check_choice(override: Override, loader, groups: list[str]) -> None:
    """Raises UserError for ``model=mpl``, with the choices that there are."""
    group = override.key_or_group
    if group not in groups or override.type == OverrideType.DEL:
        return
    choices = loader.get_group_options(group)
    several = (value if isinstance(value, list) else [value] for value in _values(override))
    for value in itertools.chain.from_iterable(several):  # metrics=[parzen,…] takes more than one
        if value is not None and str(value) not in choices:
            near = did_you_mean(str(value), choices)
            raise UserError(f"{group}={value}: no such choice.{near} There are: {', '.join(choices)}.")


def _check_key(override: Override, cfg: DictConfig) -> None:
    """Raises UserError for a key that the configuration does not have.

    A new one (``+key=value``) may only be an argument of a class that is built from its mapping, or of
    Lightning's Trainer: those complain themselves of what they do not know. Or it is a class of the user's own
    beside those of a collection: ``+callbacks.mine._target_=my.module.Callback``.
    """
    names = override.key_or_group.split(".")
    new = override.type in (OverrideType.ADD, OverrideType.FORCE_ADD)
    if new and names[0] in COLLECTIONS and names[2:] == ["_target_"]:
        return
    node: object = cfg
    for depth, name in enumerate(names):
        if not OmegaConf.is_dict(node) or name not in node:
            where, is_last = ".".join(names[:depth]), depth == len(names) - 1
            if new and is_last and OmegaConf.is_dict(node) and ("_target_" in node or where == "trainer"):
                return
            known = [str(key) for key in node] if OmegaConf.is_dict(node) else []
            raise UserError(
                f"{override.key_or_group}: {where or 'the configuration'} has no key '{name}'."
                + did_you_mean(name, known)
                + (f" There are: {', '.join(known)}." if known else "")
            )
        parent, node = node, node._get_node(name)  # as written: interpolations are not followed
    if override.type == OverrideType.DEL and "_target_" not in parent and names[0] not in COLLECTIONS:
        raise UserError(f"{override.key_or_group} cannot be removed, only set.")


def _choices(overrides: Sequence[Override], groups: list[str]) -> list[str]:
    """The words that choose from groups, the first value where several are swept over."""
    chosen = [o for o in overrides if o.key_or_group in groups and o.type != OverrideType.DEL]
    return [f"{o.key_or_group}={_values(o)[0]}".replace("'", "") for o in chosen if _values(o)]


def _values(override: Override) -> list[object]:
    """The values that an override takes, one unless it is a sweep over choices."""
    if isinstance(override.value(), Glob):
        return []  # Hydra itself expands model=glob(*)
    if override.is_choice_sweep():
        return list(override.sweep_iterator())
    return [override.value()]


def _loader():
    from hydra.core.global_hydra import GlobalHydra

    return GlobalHydra.instance().config_loader()


def _is_helper() -> bool:
    """Whether this process was started by another one, to take part in its distributed run."""
    return os.environ.get("LOCAL_RANK", "0") != "0"


def _say(message: str, exit_code: int) -> int:
    if not _is_helper():
        print(message, file=sys.stderr)
    return exit_code
