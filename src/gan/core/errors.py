"""Errors that are reported in one line."""

import difflib
import shlex
from collections.abc import Iterable

from hydra.errors import HydraException


class UserError(HydraException):
    """A mistake that the user can fix. The message names the key or file, what was expected and what to do.

    It derives from Hydra's exception, so that Hydra reports a failing job of a sweep without a traceback.
    """


class Stopped(BaseException):
    """Training stopped on Ctrl-C or SIGTERM, after writing its checkpoint.

    Like KeyboardInterrupt it is not an Exception, so that it ends a sweep instead of one job.

    Args:
        message: what happened.
        exit_code: 128 + the signal's number, the convention of shells.
        checkpoint: from which the run can be resumed; None if there is none.
    """

    def __init__(self, message: str, exit_code: int, checkpoint: object = None) -> None:
        super().__init__(message)
        self.message, self.exit_code = message, exit_code
        self.checkpoint = None if checkpoint is None else str(checkpoint)

    def describe(self, *words: str) -> str:
        """The message, and the command that resumes the run, to be pasted into a shell.

        Args:
            *words: of the run's own command line, which the command needs too.
        """
        if self.checkpoint is None:
            return self.message
        command = shlex.join(["python", "train.py", f"ckpt_path={self.checkpoint}", *words])
        return f"{self.message}; resume with: {command}"

    def __str__(self) -> str:
        return self.describe()

    def __reduce__(self) -> tuple:  # a job's process sends it to the process of the sweep
        return type(self), (self.message, self.exit_code, self.checkpoint)


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks, without torch's stack of C++ calls and without a full stop."""
    message = str(error).partition("Exception raised from")[0]
    return " ".join(message.split()).rstrip(".")


def did_you_mean(word: str, possibilities: Iterable[str]) -> str:
    """`` Did you mean 'width'?`` with the closest possibility; the empty string if none is close."""
    nearest = difflib.get_close_matches(word, sorted(possibilities), n=1, cutoff=0.6)
    return f" Did you mean '{nearest[0]}'?" if nearest else ""
