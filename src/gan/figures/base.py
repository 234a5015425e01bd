"""What a figure is."""

from abc import ABC, abstractmethod
from pathlib import Path

from gan.runs import Run


class Figure(ABC):
    """Draws something about a run."""

    @abstractmethod
    def __call__(self, run: Run, folder: Path) -> list[Path]:
        """Draws it.

        Args:
            run: a finished or running run.
            folder: where the files go; made when it is missing.

        Returns:
            The files written.
        """
