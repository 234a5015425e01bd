"""Missing pixels filled by a generator that is given the others, beside filling by a search in z."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.core.images import scale
from gan.core.random import derive
from gan.figures.base import Figure, describe
from gan.figures.drawing import add_caption, check_channels, grid, save_picture
from gan.methods.projection import find_latents
from gan.networks.completion import Completing
from gan.networks.sampling import evaluating
from gan.runs.run import Run


class Completions(Figure):
    """A test image per column: given pixels, fillings with different z, search in z, original.

    The lower, upper, right and left half and the center are missing in turn: ``completion_GENERATOR.png``. The search
    is in the z of whole images, with nothing given. A generator with labels gets those of the test images.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        columns: number of test images, at least 1.
        fillings: rows of fillings, each with its own z, at least 1.
        search_steps: Adam steps of the search, at least 1.
        seed: seed of z and of the choice of the images.
    """

    def __init__(
        self,
        generator: str | None = None,
        columns: int = 10,
        fillings: int = 3,
        search_steps: int = 300,
        seed: int = 0,
    ) -> None:
        check_integer("[1, inf)", columns=columns, fillings=fillings, search_steps=search_steps)
        self.generator, self.columns, self.fillings = generator, columns, fillings
        self.search_steps, self.seed = search_steps, seed

    def check(self, run: Run) -> None:
        check_channels(run.data.channels)
        if not isinstance(run.module.generator, Completing):
            raise UserError("figures: Completions needs method=completion.")
        run.load_images()

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        self.check(run)
        name = run.sampler.choose(self.generator)
        generator = run.sampler.generator(name)
        images, labels, masks = self.examples(run)
        z, _ = run.sampler.latents(self.fillings * len(images), self.seed)
        device = next(generator.parameters()).device
        images, labels, masks, z = (value.to(device) for value in (images, labels, masks, z))
        with evaluating(generator):
            with torch.no_grad():
                rows = [generator(some, labels, images, masks) for some in z.chunk(self.fillings)]
            whole = partial(generator, labels=labels)  # nothing given
            found = search(whole, z[: len(images)], images, masks, self.search_steps)
        shown = torch.cat([masks * images + (1 - masks) / 2, *rows, found, images]).cpu()
        remark = f"given pixels, {self.fillings} fillings by G, filling by search in z, original"
        picture = add_caption(grid(shown, len(images)), f"{describe(run, name)} · {remark}")
        return [save_picture(picture, folder / f"completion_{name}.png")]

    def examples(self, run: Run) -> tuple[Tensor, Tensor, Tensor]:
        """Test images (N, C, H, W) in [0, 1], their labels (N,) and masks (N, 1, H, W)."""
        test = run.load_images().splits["test"]
        order = torch.randperm(len(test), generator=torch.Generator().manual_seed(derive(self.seed, "completion")))
        some = test[order[: self.columns]]
        images = scale(some.images)
        return images, some.labels, torch.stack([halves(images.shape[-1])[i % 5] for i in range(len(images))])


def halves(side: int) -> Tensor:
    """Masks (5, 1, side, side) with the lower, upper, right, left half and the center missing."""
    masks, half, quarter = torch.ones(5, 1, side, side), side // 2, side // 4
    masks[0, :, half:], masks[1, :, :half] = 0, 0
    masks[2, :, :, half:], masks[3, :, :, :half] = 0, 0
    masks[4, :, quarter : side - quarter, quarter : side - quarter] = 0
    return masks


def search(generator: Callable[[Tensor], Tensor], z: Tensor, images: Tensor, masks: Tensor, steps: int) -> Tensor:
    """Images filled by G(z), with z from :func:`gan.methods.projection.find_latents`; arguments as there."""
    z = find_latents(generator, z, images, steps, masks=masks)
    with torch.no_grad():
        return masks * images + (1 - masks) * generator(z)
