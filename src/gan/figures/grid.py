"""A grid of samples."""

import math
from pathlib import Path

from gan.core.checks import check_integer
from gan.figures.base import Figure, describe
from gan.figures.drawing import add_caption, check_channels, grid, save_picture
from gan.runs.run import Run


class Grid(Figure):
    """``count`` samples, not selected, in rows: ``grid_GENERATOR.png``.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        count: number of samples.
        columns: samples per row; None for a roughly square grid.
        seed: seed of the latents; sample i is a function of (seed, i), whatever the count.
        label: the class of all samples; None for random ones, if the generator has labels.
    """

    def __init__(
        self,
        generator: str | None = None,
        count: int = 64,
        columns: int | None = None,
        seed: int = 0,
        label: int | None = None,
    ) -> None:
        check_integer("[1, inf)", count=count, columns=columns or 1)
        self.generator, self.count, self.seed, self.label = generator, count, seed, label
        self.columns = columns or math.ceil(math.sqrt(count))

    def check(self, run: Run) -> None:
        check_channels(run.data.channels)

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        name = run.sampler.choose(self.generator)
        images = run.sampler.sample(
            name, *run.sampler.numbered_latents(self.count, self.seed, self.label)
        )  # (N, C, H, W)
        picture = add_caption(grid(images, self.columns), describe(run, name))
        return [save_picture(picture, folder / f"grid_{name}.png")]
