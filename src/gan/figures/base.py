"""Base classes of figures."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from gan.runs.run import Run


def describe(run: Run, generator: str) -> str:
    """The start of a figure's caption: data, iteration, and which generator (``raw`` or ``ema``)."""
    return f"{run.cfg.data._target_.rpartition('.')[2]} · iteration {run.iteration:,} · {generator}"


class Figure(ABC):
    """A figure of a run."""

    def check(self, run: Run) -> None:  # noqa: B027 - most figures work for any run
        """Raises UserError if the run's configuration shows that the figure cannot be drawn.

        Called before a training that ends with the figure.
        """

    @abstractmethod
    def __call__(self, run: Run, folder: Path) -> list[Path]:
        """Draws the figure.

        Args:
            run: a finished or running run.
            folder: the folder of the files; created if missing. Files of the same name are replaced.

        Returns:
            The files written.

        Raises:
            UserError: the run lacks the data that the figure shows.
        """


class Comparison(Figure):
    """A figure of several runs; also accepts a single run."""

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        return self.compare([run], folder)

    @abstractmethod
    def compare(self, runs: Sequence[Run], folder: Path) -> list[Path]:
        """Draws the runs in one figure; arguments, result and errors as for one run."""
