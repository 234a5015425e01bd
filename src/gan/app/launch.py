"""Starts a command: before anything that takes time to import, Ctrl-C and closed streams are taken care of."""

import os
import sys
from collections.abc import Callable
from typing import Any


def launch(load: Callable[[], Callable[..., Any]], config_name: str, trains: bool = False) -> None:
    """As :func:`gan.app.command_line.launch`, also in one line if Ctrl-C comes during the imports."""
    open_streams()
    try:
        from gan.app.command_line import launch as start

        start(load, config_name, trains)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def open_streams() -> None:
    """Opens the standard streams that the caller has closed, as with ``>&-``, on the null device.

    A file would otherwise get their number, and what libraries print would be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
