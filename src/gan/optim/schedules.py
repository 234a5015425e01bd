"""Schedules: (updates done, updates of the whole run) -> factor on the initial learning rate, or a momentum."""

from abc import ABC, abstractmethod

from gan.core.checks import check_integer, check_number


class Schedule(ABC):
    """A pure function of how far the training is; called once after each update of its optimizer."""

    @abstractmethod
    def __call__(self, update: int, total: int) -> float:
        """The factor on the initial rate for the update that comes after ``update`` updates, in [0, 1].

        Args:
            update: updates done so far, from 0.
            total: updates of the whole run, at least 1.
        """


class Constant(Schedule):
    """The initial rate throughout."""

    def __call__(self, update: int, total: int) -> float:
        return 1.0


class Exponential(Schedule):
    """max(decay^-update, floor): the rate divided by ``decay`` at each update, as pylearn2 did.

    Args:
        decay: what the rate is divided by, at least 1 (1.000004 in the authors' code of 2014).
        floor: the smallest factor, in [0, 1]: the smallest rate divided by the initial one.
    """

    def __init__(self, decay: float, floor: float) -> None:
        check_number("[1, inf)", decay=decay)
        check_number("[0, 1]", floor=floor)
        self.decay, self.floor = decay, floor

    def __call__(self, update: int, total: int) -> float:
        return max(self.decay**-update, self.floor)


class Linear(Schedule):
    """The initial rate for the first ``hold`` of the run, then straight to zero at its end.

    Args:
        hold: the share of the run before the rate begins to fall, in [0, 1).
    """

    def __init__(self, hold: float = 0.0) -> None:
        check_number("[0, 1)", hold=hold)
        self.hold = hold

    def __call__(self, update: int, total: int) -> float:
        return min(1.0, max(0.0, (1 - update / total) / (1 - self.hold)))


class Ramp(Schedule):
    """Straight from ``start`` to ``end`` over the first ``updates`` updates, then ``end``: pylearn2's momentum.

    The one schedule whose values stand for themselves.

    Args:
        start, end: the values, in [0, 1).
        updates: when ``end`` is reached, at least 1.
    """

    def __init__(self, start: float, end: float, updates: int) -> None:
        check_number("[0, 1)", start=start, end=end)
        check_integer("[1, inf)", updates=updates)
        self.start, self.end, self.updates = start, end, updates

    def __call__(self, update: int, total: int) -> float:
        return self.start + (self.end - self.start) * min(1.0, update / self.updates)
