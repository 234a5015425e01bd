"""Turns: each contestant of a contest is a process of its own, and only one of them runs at a time.

The speed of a shared or warm machine changes over time. Contestants that take turns of a fraction of a second meet
the same conditions, which hardly affect a ratio within a round.

The parent gives each process two pipes. A contestant trains one batch when it starts, reports it, and waits. For each
empty line that it receives, it trains the batches of a turn, times them, sends one line of JSON and waits again. After
the line ``end`` it ends as after its last batch. A pipe that is closed without that line means that the parent is
gone, and ends the contestant at once.
"""

import codecs
import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import torch

from benchmarks.machine import peak_memory

VARIABLE = "GAN_BENCHMARK_TURNS"  # the environment variable that Turns.from_environment reads
TAIL = 20_000  # characters of a contestant's output that are kept


@dataclass(frozen=True)
class Turn:
    """The report of one turn.

    Args:
        seconds: wall time, including the work of the device.
        cpu_seconds: processor time over all threads.
        peak_bytes: peak memory so far, of the GPU if it trains there.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


class Died(Exception):
    """A contestant ended early; the message has its last output."""


# The contestant's side


class Turns:
    """The contestant's side of the protocol; the contestant calls :meth:`done` after each batch.

    Args:
        orders: receives a line for each turn, and one at the end.
        reports: gets a line after each turn.
        minibatches: batches in a turn.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, orders: TextIO, reports: TextIO, minibatches: int, device: str) -> None:
        self.orders, self.reports = orders, reports
        self.minibatches, self.on_gpu = minibatches, device == "cuda"
        self.left = 1  # the first batch is a turn of its own
        self.started = (time.perf_counter(), time.process_time())

    @classmethod
    def from_environment(cls, device: str) -> "Turns":
        """Reads the environment variable that the parent set; also sets the precision of matrix products."""
        settings = json.loads(os.environ[VARIABLE])
        torch.set_float32_matmul_precision(settings["matmul"])
        torch.backends.cudnn.allow_tf32 = settings["matmul"] != "highest"  # likewise for convolutions
        orders, reports = os.fdopen(settings["orders"]), os.fdopen(settings["reports"], "w")
        return cls(orders, reports, settings["minibatches"], device)

    def done(self) -> None:
        """Counts a batch. After the last one of a turn, reports and waits for the next turn."""
        self.left -= 1
        if self.left:
            return
        if self.on_gpu:
            torch.cuda.synchronize()
        seconds, cpu_seconds = time.perf_counter() - self.started[0], time.process_time() - self.started[1]
        turn = Turn(seconds, cpu_seconds, torch.cuda.max_memory_allocated() if self.on_gpu else peak_memory())
        try:
            self.reports.write(json.dumps(asdict(turn)) + "\n")
            self.reports.flush()
            alone = not self.orders.readline()
        except BrokenPipeError:
            alone = True
        if alone:  # the parent is gone, perhaps killed: no process waits for the results
            os._exit(1)
        self.left = self.minibatches
        self.started = (time.perf_counter(), time.process_time())


# The parent's side


class Contestant:
    """A process that takes turns. Its output goes to a pseudo-terminal, so that it draws progress bars as usual.

    Args:
        name: its name in messages.
        command: its command line.
        minibatches: batches in a turn.
        folder: its working directory.
        environment: its environment variables.
        matmul: its argument of ``torch.set_float32_matmul_precision``.

    Attributes:
        start_up: seconds from the start of the process to the end of its first batch.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        minibatches: int,
        folder: Path,
        environment: Mapping[str, str],
        matmul: str = "highest",
    ) -> None:
        self.name = name
        began = time.perf_counter()
        theirs_orders, self.orders = os.pipe()
        reports, theirs_reports = os.pipe()
        self.reports = os.fdopen(reports)
        settings = {"orders": theirs_orders, "reports": theirs_reports, "minibatches": minibatches, "matmul": matmul}
        screen, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, VARIABLE: json.dumps(settings)},
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            pass_fds=(theirs_orders, theirs_reports),
            start_new_session=True,  # Ctrl-C goes only to the parent
        )
        for descriptor in (theirs_orders, theirs_reports, terminal):
            os.close(descriptor)
        self.tail = ""
        self.reader = threading.Thread(target=self._read_screen, args=(screen,), daemon=True)
        self.reader.start()
        try:
            self._report()
        except BaseException:
            self.close()
            raise
        self.start_up = time.perf_counter() - began

    def turn(self) -> Turn:
        """Runs one turn."""
        try:
            os.write(self.orders, b"\n")
        except BrokenPipeError:
            raise self._death() from None
        return self._report()

    def finish(self) -> None:
        """Lets the process end as after its last batch."""
        with contextlib.suppress(BrokenPipeError):  # it has already ended; its exit code is checked below
            os.write(self.orders, b"end\n")
        os.close(self.orders)
        self.orders = None
        if self.process.wait() != 0:
            raise self._death()

    def close(self) -> None:
        """Kills the process."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.reports.close()
        if self.orders is not None:
            os.close(self.orders)
            self.orders = None

    def _report(self) -> Turn:
        line = self.reports.readline()
        if not line:
            raise self._death()
        return Turn(**json.loads(line))

    def _death(self) -> Died:
        code = self.process.wait()
        self.reader.join()
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.tail).replace("\r", "\n")
        said = " | ".join([line.strip() for line in plain.splitlines() if line.strip()][-3:])
        return Died(f"{self.name} ended with exit code {code}: {said or 'it said nothing'}")

    def _read_screen(self, screen: int) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                data = os.read(screen, 65536)
            except OSError:  # raised on Linux when the last writer is gone
                break
            if not data:
                break
            self.tail = (self.tail + decoder.decode(data))[-TAIL:]
        os.close(screen)


def play(contestants: Sequence[Contestant], rounds: int, warm_up: int) -> dict[str, list[Turn]]:
    """Runs all rounds; returns every contestant's turns by its name.

    Each round begins with the next contestant, and every second round runs in reverse order.

    Args:
        contestants: the contestants, already started.
        rounds: turns of each contestant that count.
        warm_up: turns of each contestant before those, which do not count.
    """
    turns: dict[str, list[Turn]] = {contestant.name: [] for contestant in contestants}
    for number in range(warm_up + rounds):
        first = number % len(contestants)
        order = [*contestants[first:], *contestants[:first]]
        for contestant in order[:: 1 - 2 * (number % 2)]:  # else each would always follow the same one
            turn = contestant.turn()
            if number >= warm_up:
                turns[contestant.name].append(turn)
    return turns
