"""Seconds from the start of a process to its first batch or its end: ``python -m benchmarks.startup --json FILE``.

The baseline are the imports that ``train.py`` needs. Each command is a process of its own; all take turns.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from benchmarks import endings
from benchmarks.timing import REPOSITORY, environment, summary, told, write
from gan.training import Monitor

TRAIN = str(REPOSITORY / "train.py")
FIRST, TO_FIRST, TO_END = "FIRST MINIBATCH", "train.py: first minibatch done", "train.py: one minibatch, to the end"
#: the commands, as the arguments of ``python``
COMMANDS = {
    "import torch": ("-c", "import torch"),
    "import pytorch_lightning": ("-c", "import pytorch_lightning"),
    "import gan.app.train": ("-c", "import gan.app.train"),
    "train.py --help": (TRAIN, "--help"),
    TO_END: (TRAIN, "trainer.max_steps=1", "callbacks.monitor._target_=benchmarks.startup.Stopwatch"),
}


class Stopwatch(Monitor):
    """The monitor callback, which also records when the first batch is done, before other callbacks run."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        print(FIRST, time.time(), flush=True)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)


def play(words: Sequence[str]) -> tuple[float, float | None]:
    """Seconds until the process has ended, and until the end of its first batch if it trains."""
    with tempfile.TemporaryDirectory() as folder:
        started, clock = time.perf_counter(), time.time()
        done = subprocess.run(
            [sys.executable, *words], cwd=folder, env=environment(), capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
    told = [line for line in done.stdout.splitlines() if line.startswith(FIRST)]
    return seconds, float(told[0].removeprefix(FIRST)) - clock if told else None


def main(words: Sequence[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args(words)
    seconds: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        for name, command in COMMANDS.items():
            whole, first = play(command)
            seconds.setdefault(name, []).append(whole)
            if first is not None:
                seconds.setdefault(TO_FIRST, []).append(first)
    results = {"rounds": given.rounds, "seconds": {name: summary(values) for name, values in seconds.items()}}
    for name, values in results["seconds"].items():
        print(f"{name:40}{told(values)}")
    write(given.json, results)
    return results


if __name__ == "__main__":
    endings.run(main)
