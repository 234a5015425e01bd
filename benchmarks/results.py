"""What comes of a contest."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.limits import Limits
from benchmarks.roster import REFERENCE, Entry, Setting
from benchmarks.turns import Turn


@dataclass(frozen=True)
class Summary:
    """Numbers, one for each round: their median, quartiles and mean."""

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
    """What was measured of an entry.

    Args:
        entry: whose.
        start_up: seconds from the start of its process to the end of its first minibatch.
        turns: what it reported.
    """

    entry: Entry
    start_up: float
    turns: list[Turn]


@dataclass(frozen=True)
class Contest:
    """A contest that is over.

    Args:
        setting: what it was about.
        results: an entry's each.
        limits: of each precision.
    """

    setting: Setting
    results: list[Result]
    limits: dict[str, Limits]

    def milliseconds(self, result: Result) -> Summary:
        """Of a minibatch."""
        return Summary.of([1000 * turn.seconds / self.setting.minibatches for turn in result.turns])

    def ratio(self, result: Result, reference: Entry, clock: str = "seconds") -> Summary | None:
        """The time of an entry as a multiple of another one's in the same round; None where that one did not play."""
        if (others := self.turns_of(reference)) is None:
            return None
        pairs = zip(result.turns, others, strict=True)
        return Summary.of([getattr(turn, clock) / getattr(other, clock) for turn, other in pairs])

    def total_ratio(self, result: Result, reference: Entry) -> float | None:
        """As :meth:`ratio`, of the sums over all rounds: what comes in few of them, pictures say, counts too."""
        others = self.turns_of(reference)
        return sum(t.seconds for t in result.turns) / sum(t.seconds for t in others) if others else None

    def turns_of(self, entry: Entry) -> list[Turn] | None:
        """What an entry reported; None where it did not play."""
        return next((result.turns for result in self.results if result.entry == entry), None)

    def images_per_second(self, result: Result) -> float:
        return 1000 * self.setting.batch / self.milliseconds(result).median

    def over_limit(self, result: Result) -> float:
        """The median time as a multiple of what the arithmetic takes at least."""
        return self.milliseconds(result).median / self.limits[result.entry.precision].arithmetic_ms

    def record(self) -> dict[str, Any]:
        """Everything, as plain values."""
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
