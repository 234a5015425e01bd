"""What a figure is, and how pictures become files."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from gan.runs.run import Run

if TYPE_CHECKING:  # half a second that --help and runs without a plot need not wait
    from matplotlib.figure import Figure as Plot
    from PIL.Image import Image


class Figure(ABC):
    """Draws something about a run."""

    def check(self, run: Run) -> None:  # noqa: B027 - most can be drawn of any run
        """Raises UserError for a run of which this cannot be drawn, as far as its configuration tells.

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


def at_least(least: int, **counts: int) -> None:
    """Raises ValueError for the first argument that is not a whole number of at least ``least``."""
    for name, count in counts.items():
        if not isinstance(count, int) or count < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {count}")


def save_picture(picture: Tensor, path: Path) -> Path:
    """Writes a picture (3, H, W) in [0, 1] as PNG."""
    from torchvision.utils import save_image

    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(picture, path)
    return path


def save_animation(frames: "Sequence[Image]", path: Path, seconds: float, hold: float) -> Path:
    """Writes frames of one size as an endless GIF.

    Args:
        frames: the pictures in their order, at least one.
        path: the file.
        seconds: that a frame is shown.
        hold: seconds that the last one is shown.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A palette of each frame's own: 256 colours hold every grey. No optimizing, which would merge equal frames.
    first, *others = [frame.convert("RGB").quantize(256, dither=0) for frame in frames]
    durations = [round(1000 * seconds)] * len(others) + [round(1000 * hold)]
    first.save(path, save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    return path


def save_frames(frames: "Sequence[Image]", folder: Path, names: Sequence[str]) -> Path:
    """Writes each frame as ``NAME.png`` in a folder of their own; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame, name in zip(frames, names, strict=True):
        frame.save(folder / f"{name}.png")
    return folder


def new_plot(width: float, height: float) -> "Plot":
    """An empty matplotlib figure, of width and height in inches, that no global state knows of."""
    from matplotlib.figure import Figure as Plot

    return Plot(figsize=(width, height), layout="constrained")


def save_plot(plot: "Plot", path: Path) -> Path:
    """Writes a matplotlib figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plot.savefig(path, dpi=110)
    return path


def plot_to_image(plot: "Plot") -> "Image":
    """A matplotlib figure as an RGB picture, for a frame of an animation."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(plot)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
