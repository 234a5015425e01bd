"""A program that is told to end takes along what it started."""

import signal
import sys
from collections.abc import Callable
from types import FrameType

#: SIGINT is not among them: Python raises KeyboardInterrupt by itself
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def run(main: Callable[[], object]) -> None:
    """Runs ``main`` so that SIGTERM and SIGHUP leave it as Ctrl-C does: through every ``finally`` on the way.

    Started processes are ended there and temporary folders removed. The exit code is 128 + the signal's number.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        for other in SIGNALS:  # a second one must not break off the cleaning up
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in SIGNALS:
        signal.signal(number, leave)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
