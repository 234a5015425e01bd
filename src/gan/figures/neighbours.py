"""Samples and the training images nearest to them (the paper's Figure 2)."""

from pathlib import Path

import torch

from gan.core.checks import check_integer
from gan.core.images import scale
from gan.figures.base import Figure, describe
from gan.figures.drawing import add_caption, frame_column, grid, save_picture
from gan.metrics.neighbours import nearest
from gan.runs.run import Run


class Neighbours(Figure):
    """Rows of samples, with the nearest training image in a framed last column: ``neighbours_GENERATOR.png``.

    "Rightmost column shows the nearest training example of the neighboring sample, in order to demonstrate
    that the model has not memorized the training set" (Figure 2). The search uses the Euclidean distance of pixels
    over all training images.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        rows: rows of samples.
        columns: samples per row; the last column shows the neighbor of the last sample.
        seed: seed of the latents.
    """

    def __init__(self, generator: str | None = None, rows: int = 5, columns: int = 5, seed: int = 0):
        check_integer("[1, inf)", rows=rows, columns=columns)
        self.generator, self.rows, self.columns, self.seed = generator, rows, columns, seed

    def check(self, run: Run) -> None:
        run.load_images()

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        name = run.sampler.choose(self.generator)
        training = run.load_images().splits["train"].images
        samples = run.sampler.sample(name, *run.sampler.latents(self.rows * self.columns, self.seed))
        samples = samples.unflatten(0, (self.rows, self.columns))  # (rows, columns, C, H, W)
        _, index = nearest(samples[:, -1], training)
        rows = torch.cat([samples, scale(training[index])[:, None]], dim=1)
        picture = frame_column(grid(rows.flatten(0, 1), self.columns + 1), self.columns, self.columns + 1)
        picture = add_caption(picture, f"{describe(run, name)} · framed: nearest real one")
        return [save_picture(picture, folder / f"neighbours_{name}.png")]
