"""Checks all documented guarantees on this machine's GPU: one report, in less than ten minutes.

    python -m benchmarks.check_gpu                # or make check-gpu
    python -m benchmarks.check_gpu --device cpu   # the same checks without a GPU

Each check runs the user's commands in processes of their own. A failed check does not stop the others. The exit code
is 1 if a check failed, and 0 otherwise, also without a GPU, which is reported in one line.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.bench import Bench
from benchmarks.checks import CHECKS, Check
from benchmarks.endings import SIGNALS
from benchmarks.machine import describe
from benchmarks.speed import commit
from benchmarks.verdicts import Failure, Outcome, OutOfTime, Skip, Verdict, last_lines, report, write


class Stopped(BaseException):
    """Raised by Ctrl-C, SIGTERM or SIGHUP."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.epochs < 2 or options.epochs % 2:
        sys.exit(f"error: --epochs must be an even number of at least 2, got {options.epochs}")
    if options.device == "cuda" and not torch.cuda.is_available():
        print(
            f"no GPU: torch.cuda.is_available() is False (torch {torch.__version__}, built for CUDA "
            f"{torch.version.cuda or 'none'}); nothing was checked"
        )
        return 0
    chosen = [check for check in CHECKS if not options.only or check.name in options.only]
    with tempfile.TemporaryDirectory(prefix="gan_check_", ignore_cleanup_errors=True) as place:
        deadline = time.monotonic() + 60 * options.minutes
        bench = Bench(options.device, Path(place), deadline, options.epochs, options.train)
        return play(bench, chosen, options.report)


def play(bench: Bench, checks: Sequence[Check], path: Path) -> int:
    """Runs the checks in order and writes the report after each; returns the exit code."""
    facts, verdicts, stopped = machine(bench), [], 0
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, *SIGNALS)}
    try:
        for check in checks:
            print(f"{check.name} …", file=sys.stderr, flush=True)
            verdicts.append(verdict(check, bench))
            print(f"{check.name}: {verdicts[-1].outcome}, {verdicts[-1].figures[:200]}", file=sys.stderr, flush=True)
            write(path, report(facts, verdicts))
    except Stopped as signalled:
        stopped = 128 + signalled.args[0]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        verdicts += [Verdict(check.name, Outcome.NOT_RUN, "stopped") for check in checks[len(verdicts) :]]
    page = report(facts, verdicts)
    write(path, page)
    print(page)
    print(f"→ {path}", file=sys.stderr)
    return stopped or int(any(v.outcome == Outcome.FAILED for v in verdicts))


def verdict(check: Check, bench: Bench) -> Verdict:
    """Runs one check; any error in it becomes a row of the report."""
    bench.commands = []
    if bench.left < check.seconds:
        return Verdict(check.name, Outcome.NOT_RUN, f"time: {max(0, bench.left):.0f} s were left")
    started, details = time.monotonic(), ""
    try:
        found = check.do(bench)
        outcome, figures, details = (Outcome.PASSED if found.good else Outcome.FAILED), found.figures, found.details
    except Skip as why:
        outcome, figures = Outcome.SKIPPED, str(why)
    except OutOfTime:
        outcome, figures = Outcome.NOT_RUN, "time: it was over before this had ended"
    except Failure as error:
        outcome, figures, details = Outcome.FAILED, str(error).partition("\n")[0], fenced(str(error))
    except Exception as error:  # an error in the check itself must not stop the others
        outcome, figures, details = Outcome.FAILED, f"{type(error).__name__}: {error}", fenced(traced(error))
    return Verdict(check.name, outcome, figures, bench.commands, details, time.monotonic() - started)


def stop(number: int, frame: object) -> None:
    """Ends the current check and skips the rest."""
    raise Stopped(number)


def fenced(text: str) -> str:
    return f"```\n{text}\n```"


def traced(error: Exception) -> str:
    import traceback

    return last_lines("".join(traceback.format_exception(error)))


def machine(bench: Bench) -> dict[str, object]:
    """The commit, the device and the hardware."""
    facts = {"commit": commit(), "device": bench.device, **describe()}
    if bench.device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        facts |= {
            "GPUs": torch.cuda.device_count(),
            "GPU memory": f"{properties.total_memory / 2**30:.1f} GiB",
            "compute capability": f"{properties.major}.{properties.minor}",
            "driver": driver(),
            "cuDNN": torch.backends.cudnn.version(),
        }
    return facts


def driver() -> str:
    """The version of NVIDIA's driver, from nvidia-smi."""
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.split("\n")[0].strip()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.check_gpu",
        description="Trains, resumes, captures, evaluates and samples on the GPU with the commands that a user gives, "
        "and writes a report. Exit code 1 if a check failed, 0 otherwise, also without a GPU: "
        "then one line says so and nothing is checked.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = made.add_argument
    add("--device", choices=["cuda", "cpu"], default="cuda", help="cpu runs the checks that need no GPU")
    add("--report", type=Path, default=Path("outputs/check_gpu.md"), help="the file of the report")
    add("--minutes", type=float, default=9.5, help="time for all checks; those that do not fit are reported as not run")
    add("--epochs", type=int, default=6, help="epochs of a run, 21 batches each; an even number")
    add("--only", nargs="+", choices=[check.name for check in CHECKS], metavar="CHECK", help="run only these checks")
    add("--train", nargs="+", default=[], metavar="KEY=VALUE", help="further overrides for train.py")
    return made


if __name__ == "__main__":
    sys.exit(main())
