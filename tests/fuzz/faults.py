"""Faults at the n-th change of a file: the process is killed, the disk is full, or Ctrl-C is pressed.

A command runs in a process forked from a server that has imported torch. There, what changes files in Python (opening
for writing, writing, flushing to disk, renaming, removing, making folders and links) is counted, and the n-th one
fails. C++ and Rust code of libraries writes through file objects of Python here, except safetensors' own writer.
"""

import builtins
import errno
import io
import json
import multiprocessing
import os
import runpy
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PRELOADED = [*(f"gan.app.{name}" for name in ("command_line", "train", "evaluate", "sample", "export")), __name__]
SECONDS = 300
KILLED = 137
CHANGES = ("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "symlink", "link", "truncate")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status, its output, and the changes that were counted."""

    status: int
    output: str
    events: list[str]


class Faults:
    """Counts changes below ``root``; from the n-th one on, or at it, something goes wrong.

    Args:
        root: changes elsewhere are not counted.
        at: the number of the change, from 0; None for none.
        action: ``kill``, ``full`` or ``interrupt``.
    """

    def __init__(self, root: Path, at: int | None, action: str) -> None:
        self.root, self.at, self.action = str(root), at, action
        self.events: list[str] = []

    def event(self, name: str, path: object, tear=None) -> None:
        """Counts one change. ``tear`` does a part of it, as a kill may."""
        if not isinstance(path, str | os.PathLike) or not str(Path(path).absolute()).startswith(self.root):
            return
        self.events.append(f"{name} {os.path.relpath(path, self.root)}")
        number = len(self.events) - 1
        if self.at is None or number < self.at:
            return
        if self.action == "full" and name in ("open", "write", "fsync", "mkdir", "flush"):
            where = [str(path)] if name in ("open", "mkdir") else []  # write(2) does not know the file
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *where)
        if number == self.at and self.action == "kill":
            if tear:
                tear()
            os._exit(KILLED)
        if number == self.at and self.action == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)

    def install(self) -> None:
        """Replaces Python's functions in this process, for good."""
        true_open, true_fsync = io.open, os.fsync

        def watched_open(file, mode="r", *arguments, **options):
            if not set(mode) & set("wax+"):
                return true_open(file, mode, *arguments, **options)
            self.event("open", file)
            return Watched(true_open(file, mode, *arguments, **options), file, self)

        def watched(name, function):
            def change(path, *arguments, **options):
                self.event(name, path)
                return function(path, *arguments, **options)

            return change

        def fsync(descriptor):
            self.event("fsync", Path(f"/proc/self/fd/{descriptor}").readlink())
            return true_fsync(descriptor)

        builtins.open = io.open = watched_open
        os.fsync = fsync
        for name in CHANGES:
            setattr(os, name, watched(name, getattr(os, name)))


class Watched:
    """A file that is open for writing."""

    def __init__(self, file, path, faults: Faults) -> None:
        self._file, self._path, self._faults = file, path, faults

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data):
        def tear():
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        self._faults.event("write", self._path, tear)
        return self._file.write(data)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        self._faults.event("flush", self._path)
        return self._file.flush()

    def truncate(self, *size):
        self._faults.event("truncate", self._path)
        return self._file.truncate(*size)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)

    def __iter__(self):
        return iter(self._file)


def run(folder: Path, script: str, *words: str, at: int | None = None, action: str = "kill", name="output") -> Ended:
    """Runs a command in ``folder`` as a user does, with a fault.

    Args:
        folder: the working directory; changes below it are counted.
        script: such as ``train.py``.
        *words: its command line.
        at: the number of the change at which the fault comes; None for none.
        action: the fault, see :class:`Faults`.
        name: of the file with the output.
    """
    process = start(folder, script, *words, at=at, action=action, name=name)
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        raise AssertionError(f"{script} {' '.join(words)} hangs at change {at} ({action})")
    return ended(process, folder, name)


def start(folder: Path, script: str, *words: str, at=None, action="kill", name="output"):
    """As :func:`run`, without waiting for the end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_command, args=(folder, script, words, at, action, name))
    process.start()
    return process


def ended(process, folder: Path, name="output") -> Ended:
    """How a process that has ended did."""
    record = folder.parent / f"{folder.name}-{name}.json"
    text = record.read_text() if record.exists() else ""  # empty after a kill
    output = (folder.parent / f"{folder.name}-{name}.txt").read_text(errors="replace")
    return Ended(process.exitcode, output, json.loads(text) if text else [])


def _command(folder: Path, script: str, words, at, action, name) -> None:
    import torch

    torch.set_num_threads(1)
    os.chdir(folder)
    descriptor = os.open(folder.parent / f"{folder.name}-{name}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ["HYDRA_FULL_ERROR"] = "0"
    sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w", buffering=1) for number in (1, 2))
    sys.argv = [script, *words]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server ignores it
    faults = Faults(folder, at, action)
    with (folder.parent / f"{folder.name}-{name}.json").open("w") as record:
        faults.install()
        try:
            runpy.run_path(str(REPOSITORY / script), run_name="__main__")
        finally:
            json.dump(faults.events, record)
