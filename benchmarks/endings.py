"""A program that receives a signal ends the processes that it started."""

import signal
import sys
from collections.abc import Callable
from types import FrameType

#: SIGINT is not among them: Python raises KeyboardInterrupt by itself
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def run(main: Callable[[], object]) -> None:
    """Runs ``main`` so that SIGTERM and SIGHUP end it like Ctrl-C: every ``finally`` runs.

    These end started processes and remove temporary folders. The exit code is 128 + the signal's number.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        for other in SIGNALS:  # a second signal must not interrupt the cleanup
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in SIGNALS:
        signal.signal(number, leave)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
