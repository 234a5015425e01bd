"""Wall time of a sweep, its jobs one after the other and in parallel: ``python -m benchmarks.sweep``.

Both sweeps train the same seeds in processes of their own, in turn. A job's threads are the same in both, so that its
weights must have the same bits: those of the last job are also compared with those of the run alone.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.timing import REPOSITORY, environment
from gan.runs.checkpoint import read

LAUNCHERS = {"one after the other": "basic", "in parallel": "joblib"}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="gan_sweep_") as place:
        seconds: dict[str, list[float]] = {name: [] for name in LAUNCHERS}
        for turn in range(options.rounds):
            for name, launcher in LAUNCHERS.items():
                folder = Path(place) / f"{launcher}{turn}"
                seeds = ",".join(map(str, range(1, options.jobs + 1)))
                words = ["-m", f"seed={seeds}", f"hydra/launcher={launcher}", f"hydra.sweep.dir={folder}"]
                seconds[name].append(train([*words, *options.option], options.threads))
                print(f"round {turn + 1}, {name}: {seconds[name][-1]:.1f} s", flush=True)
        alone = Path(place) / "alone"
        train([f"seed={options.jobs}", f"output_dir={alone}", *options.option], options.threads)
        last = [Path(place) / f"{launcher}0" / str(options.jobs - 1) for launcher in LAUNCHERS.values()]
        same = all(same_bits(alone, folder) for folder in last)
    slow, fast = (min(seconds[name]) for name in LAUNCHERS)
    print(f"{options.jobs} jobs of {options.threads} thread(s): {slow:.1f} s and {fast:.1f} s, ratio {slow / fast:.2f}")
    print(f"same bits as the run alone: {'yes' if same else 'NO'}")
    sys.exit(0 if same else 1)


def parser() -> argparse.ArgumentParser:
    """The command-line options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__.partition("\n")[0])
    made.add_argument("--jobs", type=int, default=8, help="number of seeds")
    made.add_argument("--rounds", type=int, default=1, help="the smallest time of each is compared")
    made.add_argument("--threads", type=int, default=1, help="threads of each job")
    made.add_argument("--option", action="append", default=[], help="a further option for train.py, repeatable")
    return made


def train(words: Sequence[str], threads: int) -> float:
    """Runs ``train.py``; returns the seconds until it has ended. Raises RuntimeError if it fails."""
    started = time.perf_counter()
    command = [sys.executable, str(REPOSITORY / "train.py"), *words]
    variables = {**environment(), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(words)} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return time.perf_counter() - started


def same_bits(one: Path, other: Path) -> bool:
    """Whether the weights of two runs are equal."""
    a, b = (read(folder / "checkpoints" / "last.ckpt")["state_dict"] for folder in (one, other))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


if __name__ == "__main__":
    main()
