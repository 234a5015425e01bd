"""Turns: each contestant is a process of its own, and only the one that has been given the word runs.

A machine that others use, or that gets warm, is slower at one time than at another. Contestants that take turns of a
fraction of a second meet the same conditions, and a ratio within a round hardly feels them.

The parent hands each process two pipes. A contestant plays one minibatch when it starts, says so, and waits. For
each empty line that it is sent it plays its minibatches, takes the time itself, sends one line of JSON and waits
again. The line ``end`` lets it end as it does after its last minibatch; a pipe that is closed without it means that the
parent is gone, and ends the contestant at once.
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

VARIABLE = "GAN_BENCHMARK_TURNS"  # in the environment: what Turns.from_environment reads
TAIL = 20_000  # characters of a contestant's terminal that are kept


@dataclass(frozen=True)
class Turn:
    """What a contestant reports.

    Args:
        seconds: by the clock, the device's work included.
        cpu_seconds: that the process computed, over all of its threads.
        peak_bytes: most memory so far, of the GPU where it plays there.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


class Died(Exception):
    """A contestant ended before its time; the message says with what words."""


# The contestant's side


class Turns:
    """Tells a contestant when to play; it calls :meth:`done` after each minibatch.

    Args:
        orders: a line comes for each turn, and the end when there are no more.
        reports: where a line goes after each turn.
        minibatches: of a turn.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, orders: TextIO, reports: TextIO, minibatches: int, device: str) -> None:
        self.orders, self.reports = orders, reports
        self.minibatches, self.on_gpu = minibatches, device == "cuda"
        self.left = 1  # the first minibatch is a turn of its own
        self.started = (time.perf_counter(), time.process_time())

    @classmethod
    def from_environment(cls, device: str) -> "Turns":
        """What the parent has left in the environment; also sets the precision of matrix products."""
        settings = json.loads(os.environ[VARIABLE])
        torch.set_float32_matmul_precision(settings["matmul"])
        torch.backends.cudnn.allow_tf32 = settings["matmul"] != "highest"  # the same for convolutions
        orders, reports = os.fdopen(settings["orders"]), os.fdopen(settings["reports"], "w")
        return cls(orders, reports, settings["minibatches"], device)

    def done(self) -> None:
        """A minibatch has been played. After the last one of a turn: reports, and waits for the next turn."""
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
        if alone:  # the parent is gone without a word, killed perhaps: nobody wants the rest
            os._exit(1)
        self.left = self.minibatches
        self.started = (time.perf_counter(), time.process_time())


# The parent's side


class Contestant:
    """A process that takes turns. Its output goes to a terminal that nobody looks at, so that bars are drawn.

    Args:
        name: for messages.
        command: words of its command line.
        minibatches: of a turn.
        folder: where it runs.
        environment: of the process.
        matmul: what ``torch.set_float32_matmul_precision`` is given there.

    Attributes:
        start_up: seconds from the start of the process to the end of its first minibatch.
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
            start_new_session=True,  # Ctrl-C is for the parent
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
        """Lets it play a turn."""
        try:
            os.write(self.orders, b"\n")
        except BrokenPipeError:
            raise self._death() from None
        return self._report()

    def finish(self) -> None:
        """Lets it end as it does when it has played everything."""
        with contextlib.suppress(BrokenPipeError):  # it has ended before; its exit code says how
            os.write(self.orders, b"end\n")
        os.close(self.orders)
        self.orders = None
        if self.process.wait() != 0:
            raise self._death()

    def close(self) -> None:
        """Ends it, whatever it is doing."""
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
            except OSError:  # what Linux says when the last writer is gone
                break
            if not data:
                break
            self.tail = (self.tail + decoder.decode(data))[-TAIL:]
        os.close(screen)


def play(contestants: Sequence[Contestant], rounds: int, warm_up: int) -> dict[str, list[Turn]]:
    """Every contestant's turns, by its name; in each round the next one begins, and every second one goes backwards.

    Args:
        contestants: already started.
        rounds: how many turns each one has.
        warm_up: how many it has before, which are thrown away.
    """
    turns: dict[str, list[Turn]] = {contestant.name: [] for contestant in contestants}
    for number in range(warm_up + rounds):
        first = number % len(contestants)
        order = [*contestants[first:], *contestants[:first]]
        for contestant in order[:: 1 - 2 * (number % 2)]:  # or each would always follow the same one
            turn = contestant.turn()
            if number >= warm_up:
                turns[contestant.name].append(turn)
    return turns
