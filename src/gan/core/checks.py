"""Ranges of arguments: constructors refuse what they cannot use, in one line that names the argument."""

import math

from gan.core.errors import UserError


class ArgumentError(UserError, ValueError):
    """An argument of the wrong type or out of its range.

    Attributes:
        name: the argument.
        complaint: what is wrong with it, without the name.
    """

    def __init__(self, name: str, complaint: str) -> None:
        self.name, self.complaint = name, complaint
        super().__init__(f"{name} {complaint}")


def check_integer(interval: str = "(-inf, inf)", /, *, or_none: bool = False, **arguments: object) -> None:
    """Raises ArgumentError for the first argument that is no integer in the interval; True and False are none.

    Args:
        interval: such as ``[1, inf)``: a bracket includes its end.
        or_none: whether None is fine too.
        **arguments: values by the names of the caller's arguments.
    """
    _check(int, "a whole number", interval, or_none, arguments)


def check_number(interval: str = "(-inf, inf)", /, *, or_none: bool = False, **arguments: object) -> None:
    """Raises ArgumentError for the first argument that is no number in the interval; NaN is in none.

    Args:
        interval: such as ``[0, 1)``: a bracket includes its end.
        or_none: whether None is fine too.
        **arguments: values by the names of the caller's arguments.
    """
    _check(int | float, "a number", interval, or_none, arguments)


def _check(kind, noun: str, interval: str, or_none: bool, arguments: dict[str, object]) -> None:
    low, high = (float(end) for end in interval[1:-1].split(","))

    def holds(value) -> bool:
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        above = value >= low if interval[0] == "[" else value > low
        return above and (value <= high if interval[-1] == "]" else value < high)

    for name, value in arguments.items():
        if not (holds(value) or (value is None and or_none)):
            words = [f"{'of at least' if interval[0] == '[' else 'above'} {low:g}"] if math.isfinite(low) else []
            words += [f"{'at most' if interval[-1] == ']' else 'below'} {high:g}"] if math.isfinite(high) else []
            expected = f"{noun} {' and '.join(words)}".strip() + (", or null" if or_none else "")
            raise ArgumentError(name, f"must be {expected}, got {'null' if value is None else value}.")
