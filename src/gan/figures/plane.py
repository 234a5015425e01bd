"""Samples and real points in the plane."""

from pathlib import Path

from gan.core.checks import check_integer
from gan.figures.base import Figure
from gan.figures.drawing import check_points, plane, save_picture
from gan.figures.field import see_field
from gan.runs.run import Run


class Plane(Figure):
    """Samples over as many real points: ``plane_GENERATOR.png``, as drawn by ``callbacks=plane`` in training.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        count: number of samples and of real points.
        seed: seed of the latents; evaluate.py scores the same samples with this seed and count.
    """

    def __init__(self, generator: str | None = None, count: int = 2500, seed: int = 0) -> None:
        check_integer("[1, inf)", count=count)
        self.generator, self.count, self.seed = generator, count, seed

    def check(self, run: Run) -> None:
        check_points(run.data)

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        self.check(run)
        name = run.sampler.choose(self.generator)
        samples = run.sampler.sample(name, *run.sampler.latents(self.count, self.seed))  # (N, 2, 1, 1)
        real = run.load_data().splits["train"].images[: self.count]
        heat, arrows = see_field(run.module, real, samples[:150])
        return [save_picture(plane(real, samples, heat, arrows), folder / f"plane_{name}.png")]
