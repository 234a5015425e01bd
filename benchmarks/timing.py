"""Times of contestants that take turns, and their records."""

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine

REPOSITORY = Path(__file__).parents[1]


def environment(tree: Path = REPOSITORY) -> dict[str, str]:
    """The environment of a process that imports ``gan`` and ``benchmarks`` from this repository or another checkout."""
    paths = [str(tree / "src"), str(tree), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


#: wall time, and processor time, which other processes on the same cores do not prolong
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def interleaved(
    contestants: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each contestant in each round; in a round all take one turn, so that conditions are the same."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, play in contestants.items():
            started = clock()
            play()
            seconds[name].append(clock() - started)
    return seconds


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def ratio(slow: Sequence[float], fast: Sequence[float]) -> dict[str, float]:
    """Ratios of two contestants' times in the same round."""
    return summary([a / b for a, b in zip(slow, fast, strict=True)])


def told(values: Mapping[str, float], unit: str = "s") -> str:
    """``2.31 s (2.29 … 2.40)``."""
    return f"{values['median']:.3g} {unit} ({values['least']:.3g} … {values['most']:.3g})"


def write(path: str | None, results: Mapping[str, Any]) -> None:
    """Writes the results and the machine as JSON, if a file is given."""
    if path is not None:
        Path(path).write_text(json.dumps({"machine": machine.describe(), **results}, indent=1) + "\n")
