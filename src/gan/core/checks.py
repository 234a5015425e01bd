"""Range checks for constructor arguments. An error is one line that names the argument."""

import math

from gan.core.errors import UserError


class ArgumentError(UserError, ValueError):
    """An argument of the wrong type or out of its range.

    Attributes:
        name: the argument.
        complaint: the error, without the argument's name.
    """

    def __init__(self, name: str, complaint: str) -> None:
        self.name, self.complaint = name, complaint
        super().__init__(f"{name} {complaint}")


def check_integer(interval: str = "(-inf, inf)", /, *, or_none: bool = False, **arguments: object) -> None:
    """Raises ArgumentError for the first argument that is not an integer in the interval; bools are refused.

    Args:
        interval: such as ``[1, inf)``; a square bracket includes its end. Sizes, which have a lower bound, must
            also be below 2^63.
        or_none: whether None is allowed too.
        **arguments: values by the names of the caller's arguments.
    """
    _check(int, "a whole number", interval, or_none, arguments)
    for name, value in arguments.items():
        if not interval.startswith("(-inf") and isinstance(value, int) and value >= 2**63:
            raise ArgumentError(name, f"must be below 2^63, got {value}.")


def check_number(interval: str = "(-inf, inf)", /, *, or_none: bool = False, **arguments: object) -> None:
    """Raises ArgumentError for the first argument that is not a number in the interval; NaN is refused.

    Args:
        interval: such as ``[0, 1)``; a square bracket includes its end.
        or_none: whether None is allowed too.
        **arguments: values by the names of the caller's arguments.
    """
    _check(int | float, "a number", interval, or_none, arguments)
    for name, value in arguments.items():
        if isinstance(value, int) and abs(value) >= 2**63:  # torch multiplies by whole numbers of 64 bits
            raise ArgumentError(name, f"must be below 2^63 as a whole number, got {value}; write {_decimal(value)}.")


def _decimal(value: int) -> str:
    """A large whole number as a decimal one; a smaller example if there is none so large."""
    try:
        return f"{float(value):g}"
    except OverflowError:
        return "1e+300"


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
