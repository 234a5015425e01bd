"""Schedules of the learning rate (as a factor on the initial one), the momentum or the weight of a term.

Each maps (updates done, updates of the whole run) to the value.
"""

import math
from abc import ABC, abstractmethod

from gan.core.checks import check_integer, check_number


class Schedule(ABC):
    """A pure function of training progress, called once after each update of its optimizer."""

    @abstractmethod
    def __call__(self, update: int, total: int) -> float:
        """The factor on the initial rate for the next update, in [0, 1]; or the momentum or weight itself.

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


class Cosine(Schedule):
    """Half a cosine from ``start`` to ``end``, reached at the share ``until`` of the run, then ``end``.

    For a rate the values are factors on the initial one. A term's weight uses them directly, see
    :class:`gan.losses.base.Term`: Huang et al. 2024, "The GAN is dead; long live the GAN!", lower γ of R1 and R2 so.

    Args:
        start, end: the values, at least 0.
        until: the share of the run, in (0, 1].
    """

    def __init__(self, start: float = 1.0, end: float = 0.0, until: float = 1.0) -> None:
        check_number("[0, inf)", start=start, end=end)
        check_number("(0, 1]", until=until)
        self.start, self.end, self.until = start, end, until

    def __call__(self, update: int, total: int) -> float:
        done = min(1.0, update / (self.until * total))
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * done)) / 2


class Geometric(Schedule):
    """From ``start`` to ``end`` by the same factor at each update, start^(1 - t) · end^t: a term's falling weight.

    Args:
        start, end: the values, above 0.
    """

    def __init__(self, start: float, end: float) -> None:
        check_number("(0, inf)", start=start, end=end)
        self.start, self.end = start, end

    def __call__(self, update: int, total: int) -> float:
        return self.start * (self.end / self.start) ** min(1.0, update / total)
