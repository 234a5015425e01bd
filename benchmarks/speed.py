"""The time of a batch: ``python train.py``, the tutorials' loop, Lightning's example and a bare loop.

    python -m benchmarks.speed --model mlp maxout --batch 64 256 --json speed.json

Every contestant is a process of its own; they run in turns, so that all of them meet the same conditions. Times are
medians over the rounds with quartiles; ratios are of times in the same round. Ratios of totals include rare work, too.
See ``--help``.
"""

import argparse
import itertools
import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from hydra.errors import HydraException

from benchmarks import endings
from benchmarks.contest import hold
from benchmarks.game import PRECISIONS
from benchmarks.limits import Limits
from benchmarks.machine import describe
from benchmarks.results import Contest, Result, Summary
from benchmarks.roster import COMMANDS, DATA, MODELS, REFERENCE, USUAL, Entry, Setting
from benchmarks.timing import REPOSITORY
from benchmarks.turns import Died
from gan.core.hardware import processor

COLUMNS = (
    *("contestant", "precision", "ms per minibatch", "÷ textbook", "÷ bare", "total ÷ textbook", "total ÷ bare"),
    *("CPU ÷ textbook", "CPU ÷ bare"),
    *("images/s", "× limit", "peak MiB", "start-up s"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    words = sys.argv[1:] if arguments is None else [*arguments]
    options = parser().parse_args(words)
    if options.device == "cpu" and "captured" in options.contestants:
        sys.exit("error: captured needs --device cuda: a CPU has no CUDA graphs")
    contests = []
    print(f"{processor()}\n", flush=True)
    try:
        for setting in settings(options):
            contests.append(hold(setting, say=lambda message: print(message, file=sys.stderr)))
            print("\n".join([*table(contests[-1]), ""]), flush=True)
            if options.json:  # after each contest, so that a later failure loses no result
                options.json.write_text(json.dumps(record(words, contests), indent=1) + "\n")
    except (Died, HydraException) as error:
        sys.exit(f"error: {error}")


def record(words: Sequence[str], contests: Sequence[Contest]) -> dict[str, Any]:
    """All measurements, with the machine."""
    return {
        "command": shlex.join(["python", "-m", "benchmarks.speed", *words]),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": describe(),
        "contests": [contest.record() for contest in contests],
    }


def parser() -> argparse.ArgumentParser:
    """The command-line options."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description="Times a minibatch of the game in train.py and in loops to compare it with. Several models, batch "
        "sizes and data sets make several contests; all precisions meet in each.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = made.add_argument
    add("--model", nargs="+", choices=MODELS, default=["mlp"], help="the networks")
    add("--batch", nargs="+", type=count, default=[64], help="images in a batch")
    add("--data", nargs="+", choices=DATA, default=["synthetic"], help="the images; synthetic ones need no files")
    add(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=["float32", "bf16-mixed"],
        help="precision of the matrix products",
    )
    add(
        "--contestants",
        nargs="+",
        choices=COMMANDS,
        default=[*USUAL],
        help=f"the contestants; {REFERENCE} always takes part",
    )
    add("--device", choices=["cpu", "cuda"], default="cpu", help="the device")
    add("--turns", type=count, default=12, help="rounds that count")
    add("--warm-up", type=int, default=2, help="rounds before them, which do not count")
    add("--minibatches", type=count, default=50, help="batches in a turn")
    # Threads that wait for each other lose much time when another process uses one of their cores.
    add("--threads", type=count, default=torch.get_num_threads(), help="threads of each process; 1 on a shared machine")
    add("--data-root", default="data", help="the folder that holds MNIST/raw")
    add("--square", type=count, default=2048, help="size of the matrices for measuring the arithmetic")
    add("--json", type=Path, help="a file for all measurements")
    return made


def count(word: str) -> int:
    """A whole number of at least 1."""
    if (number := int(word)) < 1:
        raise ValueError
    return number


def settings(options: argparse.Namespace) -> Iterable[Setting]:
    """The settings of the contests in the command line."""
    for model, batch, data in itertools.product(options.model, options.batch, options.data):
        yield Setting(
            **{"model": model, "batch": batch, "data": data, "device": options.device},
            contestants=tuple(options.contestants),
            precisions=tuple(options.precision),
            **{name: getattr(options, name) for name in ("turns", "warm_up", "minibatches", "threads", "data_root")},
            square=options.square,
        )


def table(contest: Contest) -> list[str]:
    """A line about the setting, a row for each entry, and a line for the limits in each precision."""
    setting = contest.setting
    rows = [COLUMNS, *(line(contest, result) for result in contest.results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = [["<", "<", *">" * (len(COLUMNS) - 2)], widths]  # text to the left, numbers to the right
    head, *body = (
        f"| {' | '.join(f'{cell:{side}{width}}' for cell, side, width in zip(row, *aligned, strict=True))} |"
        for row in rows
    )
    rule = (f"{'-' * (width + 1)}{'-' if side == '<' else ':'}" for side, width in zip(*aligned, strict=True))
    return [
        f"{setting.model}, minibatches of {setting.batch}, {setting.data}, {setting.device}, {setting.threads} "
        f"threads; {setting.turns} rounds of {setting.minibatches} minibatches: median (quartiles)",
        "",
        *(head, f"|{'|'.join(rule)}|", *body),
        "",
        *(told(precision, limit) for precision, limit in contest.limits.items()),
    ]


def line(contest: Contest, result: Result) -> list[str]:
    """The cells of an entry's row."""
    of_bare = Entry("bare", result.entry.precision)
    return [
        *(result.entry.contestant, result.entry.precision),
        shown(contest.milliseconds(result)),
        *(shown(contest.ratio(result, reference)) for reference in (REFERENCE, of_bare)),
        *(f"{total:.2f}" if (total := contest.total_ratio(result, r)) else "–" for r in (REFERENCE, of_bare)),
        *(shown(contest.ratio(result, reference, "cpu_seconds")) for reference in (REFERENCE, of_bare)),
        f"{contest.images_per_second(result):,.0f}",
        f"{contest.over_limit(result):.1f}",
        f"{max(turn.peak_bytes for turn in result.turns) / 2**20:,.0f}",
        f"{result.start_up:.1f}",
    ]


def shown(summary: Summary | None) -> str:
    """``0.52 (0.51–0.54)``, or a dash."""
    if summary is None:
        return "–"
    decimals = 1 if summary.median >= 100 else 2 if summary.median >= 0.1 else 3
    low, high = summary.first_quartile, summary.third_quartile
    return f"{summary.median:.{decimals}f} ({low:.{decimals}f}–{high:.{decimals}f})"


def told(precision: str, limit: Limits) -> str:
    """The limits in a precision as text."""
    rates = ", ".join(f"{name}: {rate / 1e9:,.0f}" for name, rate in limit.rates.items())
    return (
        f"{precision}: {limit.flops / 1e9:.2f} GFLOP take at least {limit.arithmetic_ms:.3g} ms at the best rate of "
        f"squares (GFLOP/s of {rates}), {limit.own_shapes_ms:.3g} ms at their own shapes; {limit.bytes / 1e6:,.0f} MB "
        f"take {limit.traffic_ms:.3g} ms at {limit.bandwidth / 1e9:,.0f} GB/s"
    )


def commit() -> str:
    """The measured commit, with a plus if files differ from it."""
    asked = [["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]]
    try:
        answers = [
            subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True)
            for words in asked
        ]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    head, changed = (answer.stdout.strip() for answer in answers)
    return head + "+" * bool(changed)


if __name__ == "__main__":
    endings.run(main)
