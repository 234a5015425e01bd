"""The environment of the checks in ``benchmarks.check_gpu``: a folder, a device, the time left, and the commands."""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import REPOSITORY, environment
from benchmarks.verdicts import Failure, OutOfTime, last_lines
from gan.runs.checkpoint import read

POINT = re.compile(r"(D\(x\)|D\(G\(z\)\)|loss/discriminator|loss/generator) (\S+)")
SPEED = re.compile(r"speed/images_per_second (\S+)")


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Args:
        folder: the run's folder.
        output: what the command printed.
    """

    folder: Path
    output: str

    @cached_property
    def log(self) -> str:
        return (self.folder / "train.log").read_text(encoding="utf-8")

    @property
    def points(self) -> list[list[float]]:
        """The logged values of D(x), D(G(z)) and both losses."""
        found = [POINT.findall(line) for line in self.log.splitlines()]
        return [[float(number) for _, number in line] for line in found if line]

    @property
    def images_per_second(self) -> float:
        return statistics.median(float(number) for number in SPEED.findall(self.log))

    @property
    def peak_memory(self) -> str:
        """The peak GPU memory of the run as text; empty without a GPU."""
        path = self.folder / "peak_memory.json"
        return f"{json.loads(path.read_text())['bytes'] / 2**20:,.0f} MiB" if path.exists() else ""

    def checkpoint(self, name: str = "last.ckpt") -> Path:
        return self.folder / "checkpoints" / name

    def state(self, name: str = "last.ckpt") -> dict[str, torch.Tensor]:
        """Weights, EMA weights and optimizer states in one mapping."""
        saved = read(self.checkpoint(name))
        of_optimizers = {
            f"optimizer {number} {parameter} {key}": value
            for number, optimizer in enumerate(saved["optimizer_states"])
            for parameter, entries in optimizer["state"].items()
            for key, value in entries.items()
            if isinstance(value, torch.Tensor)
        }
        return saved["state_dict"] | of_optimizers


@dataclass
class Bench:
    """The argument of every check.

    Args:
        device: ``cuda`` or ``cpu``.
        folder: the folder of the runs.
        deadline: when all checks must be finished, by ``time.monotonic``.
        epochs: epochs of a training run; an even number.
        words: further overrides for ``train.py``.
    """

    device: str
    folder: Path
    deadline: float
    epochs: int = 6
    words: Sequence[str] = ()
    commands: list[list[str]] = field(default_factory=list)  # of the current check
    _runs: dict[str, Trained | Exception] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """The seconds left."""
        return self.deadline - time.monotonic()

    @property
    def half(self) -> str:
        """The name of the checkpoint in the middle of a run."""
        return f"epoch={self.epochs // 2:04d}.ckpt"

    def train(self, name: str, *words: str) -> Trained:
        """Returns the run of that name; trains it on the first call."""
        if name not in self._runs:
            try:
                self._runs[name] = Trained(self.folder / name, self.run("train.py", *self.training(name), *words))
            except Failure as error:
                self._runs[name] = error
        found = self._runs[name]
        if isinstance(found, Exception):
            raise found
        return found

    def training(self, name: str) -> list[str]:
        return [
            f"trainer={'gpu' if self.device == 'cuda' else 'cpu'}",
            "trainer.precision=32-true",  # unless a check overrides it
            f"trainer.max_epochs={self.epochs}",
            f"callbacks.checkpoint.keep_every_n_epochs={self.epochs // 2}",
            "callbacks.monitor.every_n_batches=10",
            "+callbacks.memory._target_=benchmarks.callback.PeakMemory",
            *self.words,
            f"output_dir={self.folder / name}",
        ]

    def go_on(self, name: str, run: Trained, middle: str) -> Trained:
        """Resumes the run from one of its checkpoints, with the command line of README.md."""
        checkpoint = f"ckpt_path='{run.checkpoint(middle)}'"  # quoted: the name contains =
        # the run's callback that measures memory is a class of benchmarks, which a resumed run does not build by itself
        words = [checkpoint, f"output_dir={self.folder / name}", "trust=benchmarks"]
        return Trained(self.folder / name, self.run("train.py", *words))

    def evaluate(self, run: Trained, device: str, *words: str) -> tuple[dict[tuple[str, str], Any], str]:
        """The records of ``evaluate.py`` by metric and generator, and its output."""
        output = self.run("evaluate.py", f"run={run.folder}", f"device={device}", "num_samples=1000", *words)
        path = run.folder / "metrics.json"
        records = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()  # else the scores of one device would replace those of the other
        return {(record["metric"], record["generator"]): record for record in records}, output

    def run(self, *words: str, python: Sequence[str] = ()) -> str:
        """Runs a command of the repository to its end and returns its output.

        Raises:
            Failure: it ended with an error.
            OutOfTime: it did not end in time.
        """
        command = [sys.executable, *python, *words]
        self.commands.append(command)
        if self.left <= 0:
            raise OutOfTime
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        # A session of its own: Ctrl-C goes only to this process, which then ends all that the command has started.
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment(), start_new_session=True, **pipes)
        try:
            output, _ = process.communicate(timeout=self.left)
        except subprocess.TimeoutExpired:
            raise OutOfTime from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            process.stdout.close()
        if process.returncode:
            raise Failure(f"exit code {process.returncode}\n{last_lines(output)}")
        return output


def largest_difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """The largest difference of tensors of one name, relative to the largest value or 1; NaN counts as infinity."""
    if a.keys() != b.keys():
        raise Failure(f"different tensors: {sorted(a.keys() ^ b.keys())[:5]}")
    differences = [
        ((a[k].double() - b[k].double()).abs().max() / b[k].double().abs().max().clamp(min=1)).item() for k in a
    ]
    return max(d if d == d else float("inf") for d in differences)


def same_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Whether all tensors are equal to the last bit."""
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
