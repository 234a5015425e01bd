"""The results of a contest."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.limits import Limits
from benchmarks.roster import REFERENCE, Entry, Setting
from benchmarks.turns import Turn


@dataclass(frozen=True)
class Summary:
    """Median, quartiles and mean of one value for each round."""

    median: float
    first_quartile: float
    third_quartile: float
    mean: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary":
        first, median, third = statistics.quantiles([*values], n=4, method="inclusive") if values[1:] else 3 * values
        return cls(median, first, third, statistics.mean(values))


@dataclass(frozen=True)
class Result:
    """The measurements of an entry.

    Args:
        entry: the entry.
        start_up: seconds from the start of its process to the end of its first batch.
        turns: the turns that it reported.
    """

    entry: Entry
    start_up: float
    turns: list[Turn]


@dataclass(frozen=True)
class Contest:
    """A finished contest.

    Args:
        setting: its setting.
        results: one for each entry.
        limits: the machine's limits for each precision.
    """

    setting: Setting
    results: list[Result]
    limits: dict[str, Limits]

    def milliseconds(self, result: Result) -> Summary:
        """Milliseconds for a batch."""
        return Summary.of([1000 * turn.seconds / self.setting.minibatches for turn in result.turns])

    def ratio(self, result: Result, reference: Entry, clock: str = "seconds") -> Summary | None:
        """The time of an entry as a multiple of another one's in the same round; None if that one did not take part."""
        if (others := self.turns_of(reference)) is None:
            return None
        pairs = zip(result.turns, others, strict=True)
        return Summary.of([getattr(turn, clock) / getattr(other, clock) for turn, other in pairs])

    def total_ratio(self, result: Result, reference: Entry) -> float | None:
        """Like :meth:`ratio`, for the sums over all rounds, which include rare work such as sample grids."""
        others = self.turns_of(reference)
        return sum(t.seconds for t in result.turns) / sum(t.seconds for t in others) if others else None

    def turns_of(self, entry: Entry) -> list[Turn] | None:
        """The turns of an entry; None if it did not take part."""
        return next((result.turns for result in self.results if result.entry == entry), None)

    def images_per_second(self, result: Result) -> float:
        return 1000 * self.setting.batch / self.milliseconds(result).median

    def over_limit(self, result: Result) -> float:
        """The median time as a multiple of the least time of the arithmetic."""
        return self.milliseconds(result).median / self.limits[result.entry.precision].arithmetic_ms

    def record(self) -> dict[str, Any]:
        """The contest as plain values."""
        return {
            "setting": asdict(self.setting),
            "limits": {precision: asdict(limit) for precision, limit in self.limits.items()},
            "results": [self._record(result) for result in self.results],
        }

    def _record(self, result: Result) -> dict[str, Any]:
        of_bare = Entry("bare", result.entry.precision)
        ratios = {
            f"{clock}_over_{name}": self.ratio(result, reference, clock)
            for clock in ("seconds", "cpu_seconds")
            for name, reference in (("textbook", REFERENCE), ("bare", of_bare))
        }
        return {
            **asdict(result.entry),
            "milliseconds": asdict(self.milliseconds(result)),
            **{name: asdict(ratio) if ratio else None for name, ratio in ratios.items()},
            "total_over_textbook": self.total_ratio(result, REFERENCE),
            "total_over_bare": self.total_ratio(result, of_bare),
            "images_per_second": self.images_per_second(result),
            "over_arithmetic_limit": self.over_limit(result),
            "peak_bytes": max(turn.peak_bytes for turn in result.turns),
            "start_up_seconds": result.start_up,
            "turns": [asdict(turn) for turn in result.turns],
        }
