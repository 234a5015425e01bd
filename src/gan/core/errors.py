"""Errors that are reported in one line."""

import difflib
from collections.abc import Iterable

from hydra.errors import HydraException


class UserError(HydraException):
    """A mistake that the user can fix: the message names the key or file, what was expected and what to do.

    It derives from Hydra's exception so that a failing job of a sweep is reported without a traceback.
    """


class Stopped(BaseException):
    """Training was asked to stop (Ctrl-C, SIGTERM) and has saved its checkpoint.

    Like KeyboardInterrupt no mere Exception: a sweep ends with it instead of going on to its next job.

    Args:
        message: what happened, and how to go on.
        exit_code: 128 + the signal's number, as shells have it.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks and without a full stop."""
    return " ".join(str(error).split()).rstrip(".")


def did_you_mean(word: str, possibilities: Iterable[str]) -> str:
    """`` Did you mean 'width'?`` for the nearest possibility, the empty string when nothing is near."""
    nearest = difflib.get_close_matches(word, sorted(possibilities), n=1, cutoff=0.6)
    return f" Did you mean '{nearest[0]}'?" if nearest else ""
