"""Schedules: (updates done, updates of the whole run) -> factor on the initial learning rate, or the momentum."""

from abc import ABC, abstractmethod

from gan.core.checks import check_integer, check_number


class Schedule(ABC):
    """A pure function of training progress, called once after each update of its optimizer."""

    @abstractmethod
    def __call__(self, update: int, total: int) -> float:
        """The factor on the initial rate for the next update, in [0, 1].

        Args:
            update: updates done so far, from 0.
            total: updates of the whole run, at least 1.
        """


class Constant(Schedule):
    """A constant rate."""

    def __call__(self, update: int, total: int) -> float:
        return 1.0


class Exponential(Schedule):
    """max(decay^-update, floor): the rate is divided by ``decay`` at each update, as in pylearn2.

    Args:
        decay: the divisor per update, at least 1 (1.000004 in the authors' code of 2014).
        floor: the smallest factor, in [0, 1]: the smallest rate divided by the initial one.
    """

    def __init__(self, decay: float, floor: float) -> None:
        check_number("[1, inf)", decay=decay)
        check_number("[0, 1]", floor=floor)
        self.decay, self.floor = decay, floor

    def __call__(self, update: int, total: int) -> float:
        return max(self.decay**-update, self.floor)


class Linear(Schedule):
    """The initial rate for the share ``hold`` of the run, then linear decay to zero at the end.

    Args:
        hold: the share of the run with a constant rate, in [0, 1).
    """

    def __init__(self, hold: float = 0.0) -> None:
        check_number("[0, 1)", hold=hold)
        self.hold = hold

    def __call__(self, update: int, total: int) -> float:
        return min(1.0, max(0.0, (1 - update / total) / (1 - self.hold)))


class Ramp(Schedule):
    """Linear from ``start`` to ``end`` over the first ``updates`` updates, then ``end``: pylearn2's momentum.

    Its values are used directly (a momentum), not as factors on the initial learning rate.

    Args:
        start, end: the values, in [0, 1).
        updates: the number of updates until ``end`` is reached, at least 1.
    """

    def __init__(self, start: float, end: float, updates: int) -> None:
        check_number("[0, 1)", start=start, end=end)
        check_integer("[1, inf)", updates=updates)
        self.start, self.end, self.updates = start, end, updates

    def __call__(self, update: int, total: int) -> float:
        return self.start + (self.end - self.start) * min(1.0, update / self.updates)
