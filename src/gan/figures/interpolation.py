"""Interpolation between two latents (the paper's Figure 3)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gan.core.checks import check_integer
from gan.figures.base import Figure, describe
from gan.figures.drawing import add_caption, check_channels, frame_column, grid, save_picture
from gan.networks.latents import lerp
from gan.runs.run import Run


class Interpolation(Figure):
    """Each row goes from G(z0) to G(z1) in equal steps of z: ``interpolation_PATH_GENERATOR.png``.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        rows: number of rows, each with its own z0 and z1.
        steps: images per row, both ends included, at least 2.
        path: (start, end, t) to latents, :func:`gan.networks.latents.lerp` or :func:`gan.networks.latents.slerp`.
        seed: seed of z0 and z1.
    """

    def __init__(
        self,
        generator: str | None = None,
        rows: int = 6,
        steps: int = 10,
        path: Callable[[Tensor, Tensor, Tensor], Tensor] = lerp,
        seed: int = 0,
    ) -> None:
        check_integer("[1, inf)", rows=rows)
        check_integer("[2, inf)", steps=steps)
        self.generator, self.rows, self.steps, self.path, self.seed = generator, rows, steps, path, seed

    def check(self, run: Run) -> None:
        check_channels(run.data.channels)

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        name = run.sampler.choose(self.generator)
        latents, labels = run.sampler.latents(2 * self.rows, self.seed)
        start, end = latents.chunk(2)  # (rows, dim) each
        z = self.path(start, end, torch.linspace(0, 1, self.steps))  # (rows, steps, dim)
        images = run.sampler.sample(name, z.flatten(0, 1), labels[: self.rows].repeat_interleave(self.steps))
        picture = grid(images, self.steps)
        for column in (0, self.steps - 1):
            picture = frame_column(picture, column, self.steps)
        picture = add_caption(picture, f"{describe(run, name)} · G(z0) to G(z1), framed, in even steps of z")
        path = self.path.func if isinstance(self.path, partial) else self.path
        return [save_picture(picture, folder / f"interpolation_{path.__name__}_{name}.png")]
