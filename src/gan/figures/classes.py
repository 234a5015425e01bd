"""Figures of generators with labels: samples class by class, and the way from one class to the next."""

from pathlib import Path

import torch
from torch import Tensor

from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.figures.base import Figure, describe
from gan.figures.drawing import add_caption, check_channels, frame_column, grid, save_picture
from gan.networks.layers import one_hot
from gan.runs.run import Run


class ClassFigure(Figure):
    """A figure of a generator with labels.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        columns: images per row, at least 2.
        seed: seed of the latents.
    """

    def __init__(self, generator: str | None = None, columns: int = 10, seed: int = 0) -> None:
        check_integer("[2, inf)", columns=columns)
        self.generator, self.columns, self.seed = generator, columns, seed

    def check(self, run: Run) -> None:
        check_channels(run.data.channels)
        if not run.data.classes or "classes" not in run.cfg.latent:
            raise UserError(f"figures: {type(self).__name__} needs a generator with labels (latent=labelled).")

    def save(self, run: Run, name: str, images: Tensor, remark: str, file: Path, framed: bool = False) -> list[Path]:
        """Writes rows of images as a picture with a caption."""
        picture = grid(images, self.columns)
        for column in (0, self.columns - 1) if framed else ():
            picture = frame_column(picture, column, self.columns)
        return [save_picture(add_caption(picture, f"{describe(run, name)} · {remark}"), file)]


class ClassGrid(ClassFigure):
    """A row for each class; each column has the same z: ``classes_GENERATOR.png``."""

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        self.check(run)
        name, classes = run.sampler.choose(self.generator), run.data.classes
        z, _ = run.sampler.latents(self.columns, self.seed, label=0)
        labels = torch.arange(classes).repeat_interleave(self.columns)
        images = run.sampler.sample(name, z.repeat(classes, 1), labels)
        return self.save(run, name, images, "a class per row, a z per column", folder / f"classes_{name}.png")


class ClassInterpolation(ClassFigure):
    """Each row goes from a class to the next one at fixed z, in equal steps: ``class_interpolation_GENERATOR.png``."""

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        self.check(run)
        name, classes = run.sampler.choose(self.generator), run.data.classes
        z, _ = run.sampler.latents(classes, self.seed, label=0)
        start = torch.arange(classes)
        here, there = (one_hot(labels, classes)[:, None] for labels in (start, (start + 1) % classes))
        labels = torch.lerp(here, there, torch.linspace(0, 1, self.columns)[:, None]).flatten(0, 1)
        images = run.sampler.sample(name, z.repeat_interleave(self.columns, 0), labels)
        file = folder / f"class_interpolation_{name}.png"
        return self.save(run, name, images, "from a class to the next at fixed z", file, framed=True)
