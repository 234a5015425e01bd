"""An animation of the training: samples of fixed latents."""

from pathlib import Path

import numpy as np

from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.figures.base import Figure
from gan.figures.drawing import save_animation
from gan.runs.run import Run


class Progress(Figure):
    """The sample grids of a training (``samples/step=…``) as an animation: ``progress_GENERATOR.gif``.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        frames: largest number of frames; if there are more grids, evenly spaced ones, including the first and last.
        seconds: duration of a frame.
        hold: duration of the last frame in seconds.
    """

    def __init__(self, generator: str | None = None, frames: int = 60, seconds: float = 0.15, hold: float = 2.0):
        check_integer("[1, inf)", frames=frames)
        self.generator, self.frames, self.seconds, self.hold = generator, frames, seconds, hold

    def check(self, run: Run) -> None:
        callbacks = run.cfg.get("callbacks") or {}
        if not any("_target_" in (callbacks.get(name) or {}) for name in ("sample_grids", "plane")):
            raise UserError("figures.progress: this training saves no sample grids; take callbacks=default.")

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        from PIL import Image

        name = run.sampler.choose(self.generator)
        paths = sorted((run.folder / "samples").glob(f"step=*_{name}.png"))
        if not paths:
            raise UserError(
                f"figures.progress: {run.folder} has no sample grids samples/step=…_{name}.png; "
                "they are saved with callbacks=default."
            )
        pictures = [Image.open(path).convert("RGB") for path in thinned(paths, self.frames)]
        # Resuming a run with another number of images changes the size of its grids.
        shown = [picture for picture in pictures if picture.size == pictures[-1].size]
        shown = [shown[-1], *shown]  # first, for viewers that do not play animations
        return [save_animation(shown, folder / f"progress_{name}.gif", self.seconds, self.hold)]


def thinned(items: list, most: int) -> list:
    """At most ``most`` evenly spaced items; always the last, and the first unless ``most`` is 1."""
    if len(items) <= most:
        return items
    return [items[i] for i in np.linspace(len(items) - 1, 0, most).round().astype(int)[::-1]]
