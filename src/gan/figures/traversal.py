"""What each code of z does, the others and the noise fixed (Chen et al. 2016, "InfoGAN", figure 2)."""

from pathlib import Path

import torch
from torch import Tensor

from gan.core.checks import check_integer, check_number
from gan.core.errors import UserError
from gan.figures.base import Figure, describe
from gan.figures.drawing import add_caption, check_channels, grid, save_picture
from gan.networks.codes import Codes
from gan.runs.run import Run


class Traversal(Figure):
    """For each code a picture ``traversal_CODE_GENERATOR.png``: a value per column, the rest of z per row.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        rows: number of rows, each with its own noise.
        steps: values of a continuous code, at least 2.
        extent: a continuous code goes from -extent to extent, above 0; it was trained on [-1, 1].
        seed: seed of the rows.
    """

    def __init__(
        self, generator: str | None = None, rows: int = 5, steps: int = 10, extent: float = 2.0, seed: int = 0
    ) -> None:
        check_integer("[1, inf)", rows=rows)
        check_integer("[2, inf)", steps=steps)
        check_number("(0, inf)", extent=extent)
        self.generator, self.rows, self.steps, self.extent, self.seed = generator, rows, steps, extent, seed

    def check(self, run: Run) -> None:
        check_channels(run.data.channels)
        if "categorical" not in run.cfg.latent:
            raise UserError("figures: Traversal needs a prior with codes (latent=codes).")

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        name, latent = run.sampler.choose(self.generator), run.sampler.method.latent
        if not isinstance(latent, Codes):
            raise UserError("figures: Traversal needs a prior with codes (latent=codes).")
        z, _ = run.sampler.latents(self.rows, self.seed)
        files = []
        for code, values in codes(latent, self.steps, self.extent).items():
            images = run.sampler.sample(name, vary(latent, z, code, values).flatten(0, 1))
            caption = f"{describe(run, name)} · {code} per column"
            picture = add_caption(grid(images, len(values)), caption)
            files.append(save_picture(picture, folder / f"traversal_{code}_{name}.png"))
        return files


def codes(latent: Codes, steps: int, extent: float) -> dict[str, Tensor]:
    """The values of each code by its name, (V, width): one-hot vectors, or numbers from -extent to extent."""
    found = {f"category{i + 1}": torch.eye(values) for i, values in enumerate(latent.categorical)}
    numbers = torch.linspace(-extent, extent, steps)[:, None]
    return found | {f"continuous{i + 1}": numbers for i in range(latent.continuous)}


def vary(latent: Codes, z: Tensor, code: str, values: Tensor) -> Tensor:
    """z (N, dim) with each of the values in place of one code, (N, V, dim)."""
    widths = [*latent.categorical, *[1] * latent.continuous]
    place = list(codes(latent, 2, 1.0)).index(code)
    start = latent.noise + sum(widths[:place])
    many = z[:, None].repeat(1, len(values), 1)
    many[:, :, start : start + widths[place]] = values
    return many
