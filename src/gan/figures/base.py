"""What a figure is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from gan.runs.run import Run


def describe(run: Run, generator: str) -> str:
    """The start of a figure's caption: data, iteration, and which generator (``raw`` or ``ema``)."""
    return f"{run.cfg.data._target_.rpartition('.')[2]} · iteration {run.iteration:,} · {generator}"


class Figure(ABC):
    """Draws something about a run."""

    def check(self, run: Run) -> None:  # noqa: B027 - most can be drawn of any run
        """Raises UserError if the figure cannot be drawn of this run, as far as its configuration shows.

        Called before a training that is to end with the figure.
        """

    @abstractmethod
    def __call__(self, run: Run, folder: Path) -> list[Path]:
        """Draws it.

        Args:
            run: a finished or running run.
            folder: where the files go; made when it is missing. Files of the same name are replaced.

        Returns:
            The files written.

        Raises:
            UserError: the run lacks what the figure shows.
        """


class Comparison(Figure):
    """Draws several runs into one figure; a run alone is a comparison of one."""

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        return self.compare([run], folder)

    @abstractmethod
    def compare(self, runs: Sequence[Run], folder: Path) -> list[Path]:
        """Draws the runs together; arguments, result and errors as for one."""
