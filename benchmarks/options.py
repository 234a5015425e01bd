"""What an option costs: the time of a batch of ``python train.py`` with it, as a multiple of the time without.

    python -m benchmarks.options experiment=ring --options penalty=r1 "loss=relativistic penalty=[r1,r2]"

Each option is a pair of processes, with and without it, that take turns. See ``--help``.
"""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks import endings
from benchmarks.results import Summary
from benchmarks.speed import commit, count, shown
from benchmarks.timing import REPOSITORY, environment, write
from benchmarks.turns import Contestant, Died, Turn, play
from gan.core.hardware import processor

WITHOUT, WITH = "without", "with"


def hold(base: Sequence[str], option: Sequence[str], given: argparse.Namespace) -> dict[str, list[Turn]]:
    """The turns of both processes, by ``WITHOUT`` and ``WITH``.

    Args:
        base: the overrides of both.
        option: further overrides of ``WITH``.
        given: the command line's ``turns``, ``warm_up``, ``minibatches`` and ``threads``.

    Raises:
        Died: a process failed.
    """
    threads = {name: str(given.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    total = 1 + (given.warm_up + given.turns) * given.minibatches
    contestants: list[Contestant] = []
    with tempfile.TemporaryDirectory(prefix="gan_options_") as place:
        try:
            for name, words in ((WITHOUT, []), (WITH, option)):
                command = [
                    *(sys.executable, str(REPOSITORY / "train.py"), "trainer.accelerator=cpu", *base, *words),
                    *("trainer.max_epochs=-1", f"trainer.max_steps={total}", f"output_dir={Path(place) / name}"),
                    "+callbacks.turns._target_=benchmarks.callback.TakeTurns",
                ]
                contestants.append(Contestant(name, command, given.minibatches, REPOSITORY, environment() | threads))
            return play(contestants, given.turns, given.warm_up)
        finally:
            for contestant in contestants:
                contestant.close()


def cost(turns: Mapping[str, Sequence[Turn]], minibatches: int) -> dict[str, Summary]:
    """Milliseconds of a batch with the option, and its wall and processor time as multiples of those without."""
    pairs = [*zip(turns[WITH], turns[WITHOUT], strict=True)]
    return {
        "milliseconds": Summary.of([1000 * turn.seconds / minibatches for turn, _ in pairs]),
        "seconds_over_without": Summary.of([turn.seconds / other.seconds for turn, other in pairs]),
        "cpu_seconds_over_without": Summary.of([turn.cpu_seconds / other.cpu_seconds for turn, other in pairs]),
    }


def parser() -> argparse.ArgumentParser:
    """The command-line options."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.options",
        description="Times a batch of train.py with and without each option. Medians (quartiles) over rounds.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = made.add_argument
    add("base", nargs="*", help="overrides of train.py for both")
    add("--options", nargs="+", required=True, metavar="OVERRIDES", help="an option each; several overrides in quotes")
    add("--turns", type=count, default=10, help="rounds that count")
    add("--warm-up", type=int, default=2, help="rounds before them, which do not count")
    add("--minibatches", type=count, default=50, help="batches in a turn")
    add("--threads", type=count, default=torch.get_num_threads(), help="threads of each process; 1 on a shared machine")
    add("--json", metavar="FILE", help="a file for the results")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    words = sys.argv[1:] if arguments is None else [*arguments]
    given = parser().parse_args(words)
    command = shlex.join(["python", "-m", "benchmarks.options", *words])
    results: dict[str, Any] = {"command": command, "commit": commit(), "options": {}}
    print(f"{processor()}\n\n| option | ms a batch | ÷ without | CPU ÷ without |\n|---|--:|--:|--:|", flush=True)
    for option in given.options:
        try:
            found = cost(hold(given.base, shlex.split(option), given), given.minibatches)
        except Died as error:
            sys.exit(f"error: {option}: {error}")
        print(f"| `{option}` | {' | '.join(shown(summary) for summary in found.values())} |", flush=True)
        results["options"][option] = {name: asdict(summary) for name, summary in found.items()}
        write(given.json, results)  # after each option, so that a later failure loses no result


if __name__ == "__main__":
    endings.run(main)
