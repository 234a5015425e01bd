"""Runs a task from the command line with Hydra, and reduces Hydra's errors to one line each.

This module does not import torch.
"""

import argparse
import gc
import io
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, read_write
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gan.app import help as _help  # noqa: F401 (registers what the help templates name)
from gan.app.failures import in_one_line
from gan.app.jobs import alone_in_folder, finished_before, record_command
from gan.app.overrides import COLLECTIONS, check
from gan.app.preset_remark import remark
from gan.app.quoting import quote_values
from gan.app.resume import CommandLine, accepted, is_alone, needed_again, take_trust, with_record
from gan.app.search_path import CONF
from gan.app.several_processes import is_helper, join_run, publish_folder
from gan.core.errors import Stopped, UserError, did_you_mean, one_line
from gan.runs.launch import is_requeued, is_sweeping
from gan.runs.outcome import Outcome

__all__ = ["COLLECTIONS", "CONF", "check", "launch", "loaded", "resumed"]

log = logging.getLogger(__name__)


Task = Callable[[DictConfig], object]


def launch(load: Callable[[], Task], config_name: str, trains: bool = False) -> None:
    """Runs a task with the configuration of the command line; exits with a status.

    Args:
        load: imports the task's modules and returns the task; called only if there is a job to run. The task maps the
            composed configuration to a result for a sweeper.
        config_name: the file in ``conf/`` that holds the defaults.
        trains: whether several processes may do the task together.
    """
    # Imports create a million permanent objects. Garbage collection over them takes a fifth of the start-up.
    gc.disable()
    logging.raiseExceptions = False  # a log file on a full disk, or a terminal that is gone, prints no traceback
    try:
        with forgiving_output():
            _launch(load, config_name, trains)
    finally:
        gc.enable()


@contextmanager
def forgiving_output() -> Iterator[None]:
    """Lets a command finish its work when nobody reads its output, as in ``| head -1``, or a name is not printable."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may be of any bytes
    before, logging.raiseExceptions = logging.raiseExceptions, False  # no tracebacks of a closed output
    try:
        yield
    finally:
        logging.raiseExceptions = before
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # Python itself would flush once more, and print an error
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def loaded(load: Callable[[], Task]) -> Task:
    """Calls ``load``, then turns the garbage collector on again, without the imported objects."""
    task = load()
    if not gc.isenabled():  # only in the first job of a sweep: later objects may be garbage
        gc.freeze()
        gc.enable()
    return task


def _launch(load: Callable[[], Task], config_name: str, trains: bool) -> None:
    wants_trace = os.environ.get("HYDRA_FULL_ERROR") == "1" and not is_helper()
    failures: list[UserError] = []

    @in_one_line
    def perform(cfg: DictConfig) -> object:
        undo_chdir()
        if "output_dir" not in cfg:
            return loaded(load)(cfg)
        line.check(cfg, HydraConfig.get().overrides.task)
        with alone_in_folder():
            ended = enter_run_folder(cfg, replayable=not line.is_alone)
            return loaded(load)(cfg) if ended is None else ended.objective

    @hydra.main(config_path=str(CONF), config_name=config_name, version_base="1.3")
    def job(cfg: DictConfig) -> object:
        try:
            return perform(cfg)
        except UserError as error:
            if not is_helper():
                text = " ".join(str(error).split())  # the names of files may have line breaks
                settings = HydraConfig.get()
                preset = settings.runtime.choices.get("experiment")
                log.error("error: %s%s", text, remark(text, settings.overrides.task, preset))
            if is_sweeping():
                raise  # Hydra continues with the other jobs
            failures.append(error)
            if trains:
                discard_folder()
            return None
        except Exception:
            if is_sweeping():  # the sweep reports only how many failed
                log.exception("error")
            raise
        except Stopped as stopped:
            if not is_helper():
                log.error("%s", stopped.describe(*line.needed_again))
            raise

    try:
        line = checked(sys.argv[1:], config_name)
        sys.argv[1:] = line.words
        if trains and starts_a_run(sys.argv[1:]):
            sys.argv[1:] = join_run(sys.argv[1:])
        # Otherwise Hydra would print its own hint below each error.
        os.environ["HYDRA_FULL_ERROR"] = "1"
        job()
    except KeyboardInterrupt:
        sys.exit(_say("interrupted", 130))
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
    except BrokenPipeError:  # as in `--help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (HydraException, OmegaConfBaseException, YAMLError, OSError) as error:
        if wants_trace:
            raise
        sys.exit(_say(f"error: {one_line(error)}", 1))
    if failures:
        if wants_trace:
            raise failures[0]
        sys.exit(1)


def checked(argv: Sequence[str], config_name: str) -> CommandLine:
    """The command line for Hydra, including that of a resumed run; raises UserError for a wrong override."""
    quoted = quote_values(argv)
    given, trust = take_trust(quoted) if config_name == "train" else (quoted, ())
    complete, record = with_record(given, parsed, trust)
    words = options_last(complete)
    arguments = parsed(words)
    if arguments.help or arguments.hydra_help or arguments.shell_completion:
        return CommandLine(words)
    named = check(arguments.overrides, arguments.config_name or config_name, arguments.multirun, arguments.config_dir)
    typed = parsed(given)
    alone = config_name == "train" and is_alone(arguments.overrides)
    vouched = accepted(named, typed.overrides) if record or alone else frozenset()
    return CommandLine(words, record, trust, vouched, needed_again(typed, trust), alone)


def undo_chdir() -> None:
    """Returns from the run's folder, to which ``hydra.job.chdir=true`` changes: paths are relative to where the command
    was given."""
    if HydraConfig.get().job.chdir:
        os.chdir(HydraConfig.get().runtime.cwd)


def starts_a_run(argv: Sequence[str]) -> bool:
    """Whether a command line starts one run, and not a sweep or a printout."""
    given = vars(parsed(argv))
    others = ("help", "hydra_help", "cfg", "info", "shell_completion", "version", "multirun")
    return not any(given.get(option) for option in others)


def enter_run_folder(cfg: DictConfig, replayable: bool) -> Outcome | None:
    """Sets ``output_dir`` to the folder that Hydra created for this run, and records the command line in it.

    Args:
        cfg: the job's configuration.
        replayable: whether the overrides give this configuration again.

    Returns:
        The end of the run that the folder holds, if this job of a sweep has finished before.

    Raises:
        UserError: the folder holds another run.
    """
    folder, here = Path(HydraConfig.get().runtime.output_dir), Path.cwd()
    composed = cfg.copy()
    cfg.output_dir = str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
    if not is_helper():
        if (is_sweeping() or is_requeued()) and (ended := finished_before(cfg)) is not None:
            return ended
        record_command(composed, folder, replayable)
    # Lightning passes hydra.run.dir to the other processes of a distributed run, which share the folder.
    settings = HydraConfig.instance().cfg.hydra
    with read_write(settings):
        settings.run.dir = cfg.output_dir
    if not is_sweeping():
        publish_folder(folder)
    return None


def discard_folder() -> None:
    """Removes the folder that Hydra created for a run, if it was refused before it wrote any results."""
    settings = HydraConfig.get()
    folder, log_file = Path(settings.runtime.output_dir), f"{settings.job.name}.log"
    if is_helper() or folder == Path.cwd():
        return
    if {path.name for path in folder.iterdir()} <= {log_file, ".hydra"}:
        shutil.rmtree(folder)
        for parent in folder.parents:  # such as outputs/runs/DATE
            if parent == Path.cwd() or not parent.is_relative_to(Path.cwd()) or any(parent.iterdir()):
                break
            parent.rmdir()


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """Hydra's options and the overrides of a command line; raises UserError for an option that Hydra does not have."""
    parser = get_args_parser()

    def refuse(message: str) -> None:
        known = re.findall(r"--[\w-]+", parser.format_usage())
        unknown = [word for word in message.split() if word.startswith("-")]
        raise UserError(f"{message}.{did_you_mean(unknown[0], known) if unknown else ''}")

    parser.error = refuse
    return parser.parse_intermixed_args(list(argv))


def options_last(argv: Sequence[str]) -> list[str]:
    """The command line with all overrides before the options, as Hydra's parser requires."""
    overrides = parsed(argv).overrides
    options = list(argv[::-1])
    for override in reversed(overrides):
        options.remove(override)  # removes the last one, because an option's value may be the same text
    return [*overrides, *options[::-1]]


def resumed(argv: Sequence[str], trust: Collection[str] = ()) -> list[str]:
    """The command line of the checkpoint's run, followed by this one; see :func:`gan.app.resume.with_record`."""
    return with_record(argv, parsed, trust)[0]


def _say(message: str, exit_code: int) -> int:
    if not is_helper():
        print(message, file=sys.stderr)
    return exit_code
