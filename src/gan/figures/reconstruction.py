"""Test images through an encoder: reconstructions, paths between two images, single coordinates."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gan.core.checks import check_integer, check_number
from gan.core.errors import UserError
from gan.core.images import scale
from gan.core.random import derive
from gan.data.base import Split
from gan.figures.base import Figure, describe
from gan.figures.drawing import add_caption, check_channels, frame_column, grid, save_picture
from gan.methods.projection import find_latents
from gan.networks.latents import lerp
from gan.networks.sampling import evaluating
from gan.runs.run import Run


def some_test_images(run: Run, count: int, seed: int) -> Split:
    """``count`` test images, float32 in [0, 1], and their classes (-1 if G has none), a function of the seed."""
    test = run.load_images().splits["test"]
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(derive(seed, "reconstruction")))
    some = test[order[:count]]
    return Split(scale(some.images), run.sampler.known(some.labels))


def check_encoder(run: Run) -> None:
    """Raises UserError for data without images, or a method without an encoder."""
    check_channels(run.data.channels)
    if "encoder" not in run.cfg.model:
        raise UserError("figures: this one needs a method with an encoder (method=bigan, vae, autoencoder, …).")


class Reconstructions(Figure):
    """A test image per column: x, G(E(x)), G(z) with z found by a search, a sample G(z), G(E(G(z))).

    The file is ``reconstruction_GENERATOR.png``. Without an encoder only x and the search are shown. The search
    minimizes the squared error and is the reference for an encoder: how well G can do at all.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        columns: number of test images and of samples, at least 1.
        search_steps: Adam steps of the search; 0 for no search.
        seed: of the choice of the images and of the latents.
    """

    def __init__(self, generator: str | None = None, columns: int = 10, search_steps: int = 300, seed: int = 0) -> None:
        check_integer("[1, inf)", columns=columns)
        check_integer("[0, inf)", search_steps=search_steps)
        self.generator, self.columns, self.search_steps, self.seed = generator, columns, search_steps, seed

    def check(self, run: Run) -> None:
        check_channels(run.data.channels)
        if not run.data.has_fixed_examples:
            raise UserError(f"figures: Reconstructions needs a set of images, not {run.data.describe()}.")

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        sampler, name = run.sampler, run.sampler.choose(self.generator)
        test = some_test_images(run, self.columns, self.seed)
        z, labels = sampler.latents(len(test), self.seed)
        rows = {"x": test.images}
        encodes = "encoder" in sampler.offers
        if encodes:
            rows["G(E(x))"] = sampler.reconstruct(name, test.images, test.labels)
        if self.search_steps:
            rows["search"] = self.search(run, name, test, z)
        if encodes:
            samples = sampler.sample(name, z, labels)
            rows |= {"G(z)": samples, "G(E(G(z)))": sampler.reconstruct(name, samples, labels)}
        picture = grid(torch.cat(list(rows.values())), len(test))
        caption = f"{describe(run, name)} · rows: {', '.join(rows)}"
        return [save_picture(add_caption(picture, caption), folder / f"reconstruction_{name}.png")]

    def search(self, run: Run, name: str, test: Split, z: Tensor) -> Tensor:
        """The reconstructions by search, (N, C, H, W) on the CPU, from latents z (N, dim) on."""
        generator = run.sampler.generator(name)
        device = next(generator.parameters()).device
        with evaluating(generator):
            found = find_latents(
                generator, z.to(device), test.images.to(device), self.search_steps, test.labels.to(device)
            )
        return run.sampler.sample(name, found, test.labels)


class ImageInterpolation(Figure):
    """Each row goes from one test image to another in equal steps between their codes.

    The two images are framed; what is between them is generated: ``image_interpolation_GENERATOR.png``.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        rows: number of rows, each with its own two images.
        steps: generated images per row, both ends included, at least 2.
        path: (start, end, t) to latents, :func:`gan.networks.latents.lerp` or :func:`gan.networks.latents.slerp`.
        seed: of the choice of the images.
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
        check_encoder(run)

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        name = run.sampler.choose(self.generator)
        test = some_test_images(run, 2 * self.rows, self.seed)
        picture = between(run, name, test, self.path, self.steps)
        picture = add_caption(picture, f"{describe(run, name)} · framed: test images; between: G, even steps of code")
        path = self.path.func if isinstance(self.path, partial) else self.path
        return [save_picture(picture, folder / f"image_interpolation_{path.__name__}_{name}.png")]


def between(run: Run, name: str, images: Split, path: Callable, steps: int) -> Tensor:
    """Rows from an image of the first half to that of the second half at the same place, as one image (3, H', W')."""
    start, end = run.sampler.encode(name, images.images).cpu().chunk(2)
    z = path(start, end, torch.linspace(0, 1, steps))  # (rows, steps, dim)
    labels = images.labels[: len(start)].repeat_interleave(steps)
    made = run.sampler.sample(name, z.flatten(0, 1), labels).unflatten(0, z.shape[:2])
    first, last = (half[:, None] for half in images.images.chunk(2))
    picture = grid(torch.cat([first, made, last], 1).flatten(0, 1), steps + 2)
    for column in (0, steps + 1):
        picture = frame_column(picture, column, steps + 2)
    return picture


class ImageTraversal(Figure):
    """What each coordinate of a code does to one test image: ``image_traversal_GENERATOR.png``.

    A row per coordinate, those that vary most over test images first. Columns go from the mean of the coordinate
    minus ``extent`` standard deviations to the mean plus as many; the other coordinates are those of the image.

    Args:
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        rows: largest number of coordinates, at least 1.
        steps: values of a coordinate, at least 2.
        extent: in standard deviations, above 0.
        seed: of the choice of the image.
    """

    def __init__(
        self, generator: str | None = None, rows: int = 8, steps: int = 10, extent: float = 2.0, seed: int = 0
    ) -> None:
        check_integer("[1, inf)", rows=rows)
        check_integer("[2, inf)", steps=steps)
        check_number("(0, inf)", extent=extent)
        self.generator, self.rows, self.steps, self.extent, self.seed = generator, rows, steps, extent, seed

    def check(self, run: Run) -> None:
        check_encoder(run)

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        name = run.sampler.choose(self.generator)
        codes = run.sampler.encode(name, run.load_images().splits["test"].images).cpu()
        one = some_test_images(run, 1, self.seed)
        z = vary(run.sampler.encode(name, one.images).cpu()[0], codes, self.rows, self.steps, self.extent)
        labels = one.labels.expand(z.shape[0] * self.steps)
        made = run.sampler.sample(name, z.flatten(0, 1), labels).unflatten(0, z.shape[:2])
        shown = torch.cat([one.images.expand(len(z), -1, -1, -1)[:, None], made], 1)
        picture = frame_column(grid(shown.flatten(0, 1), self.steps + 1), 0, self.steps + 1)
        caption = f"{describe(run, name)} · framed: a test image; a coordinate of its code per row"
        return [save_picture(add_caption(picture, caption), folder / f"image_traversal_{name}.png")]


def vary(code: Tensor, codes: Tensor, rows: int, steps: int, extent: float) -> Tensor:
    """A code (dim,) with one coordinate changed in each row, (rows, steps, dim); the widest of codes (N, dim) first."""
    deviations, means = codes.std(0), codes.mean(0)
    widest = deviations.argsort(descending=True)[:rows]
    z = code.repeat(len(widest), steps, 1)
    values = means[widest, None] + deviations[widest, None] * torch.linspace(-extent, extent, steps)
    z[torch.arange(len(widest)), :, widest] = values
    return z
