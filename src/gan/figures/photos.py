"""Image files through an encoder: codes, reconstructions, paths between them, attributes of labelled folders."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.core.checks import check_integer, check_number
from gan.core.errors import UserError
from gan.core.files import write_whole
from gan.core.images import scale
from gan.data.base import Split
from gan.data.decode import SUFFIXES, attempt
from gan.figures.base import Figure, describe
from gan.figures.drawing import add_caption, frame_column, grid, save_picture
from gan.figures.reconstruction import between, check_encoder, some_test_images
from gan.networks.latents import lerp
from gan.runs.run import Run


def read_images(run: Run, files: Sequence[str | Path]) -> Tensor:
    """Image files as the run's data would read them, float32 (N, C, H, W) in [0, 1]: the center square, resized.

    Raises:
        UserError: a file is missing or is no image.
    """
    found = []
    for file in files:
        if not Path(file).is_file():
            raise UserError(f"{file}: no such file; give the path of an image.")
        pixels = attempt(Path(file), run.data.image_size, run.data.channels)
        if isinstance(pixels, str):
            raise UserError(f"{file} cannot be read as an image: {pixels}.")
        found.append(torch.from_numpy(pixels.copy()))
    return scale(torch.stack(found))


def save_arrays(path: Path, **arrays: Any) -> Path:
    """Writes arrays as ``.npz``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return path


class Photos(Figure):
    """Image files, their codes and reconstructions, and the way from each file to the next.

    Files: ``photo_codes_GENERATOR.npz`` with ``codes`` (N, dim), which G maps to the reconstructions, and ``files``;
    ``photos_GENERATOR.png`` with x above G(E(x)); for two files or more ``photo_interpolation_GENERATOR.png``.

    Args:
        files: the paths of the images; the center square of each is used, at the size of the run's data.
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        steps: generated images between two files, both ends included, at least 2.
        path: (start, end, t) to latents, :func:`gan.networks.latents.lerp` or :func:`gan.networks.latents.slerp`.
    """

    def __init__(
        self,
        files: Sequence[str],
        generator: str | None = None,
        steps: int = 10,
        path: Callable[[Tensor, Tensor, Tensor], Tensor] = lerp,
    ) -> None:
        check_integer("[2, inf)", steps=steps)
        self.files = [files] if isinstance(files, str) else list(files)
        if not self.files:
            raise ValueError("files must name an image or more")
        self.generator, self.steps, self.path = generator, steps, path

    def check(self, run: Run) -> None:
        check_encoder(run)
        read_images(run, self.files)

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        check_encoder(run)
        name, images = run.sampler.choose(self.generator), read_images(run, self.files)
        codes = run.sampler.encode(name, images).cpu()
        arrays = {"codes": codes.numpy(), "files": np.array(self.files)}
        written = [save_arrays(folder / f"photo_codes_{name}.npz", **arrays)]
        rows = torch.cat([images, run.sampler.sample(name, codes)])
        picture = add_caption(grid(rows, len(images)), f"{describe(run, name)} · x, G(E(x))")
        written.append(save_picture(picture, folder / f"photos_{name}.png"))
        if len(images) > 1:
            pairs = Split(torch.cat([images[:-1], images[1:]]), torch.full((2 * len(images) - 2,), -1))
            picture = add_caption(between(run, name, pairs, self.path, self.steps), "framed: files; between: G")
            written.append(save_picture(picture, folder / f"photo_interpolation_{name}.png"))
        return written


class Attributes(Figure):
    """A direction in z for each subfolder of images: the mean of their codes minus that of all others'.

    Files: ``attributes_GENERATOR.npz`` with ``names`` and ``vectors`` (K, dim); ``attributes_GENERATOR.png`` with a
    row per attribute, in which a test image, framed, moves against and along the vector. Larsen et al. 2016,
    "Autoencoding beyond pixels using a learned similarity metric", section 4.

    Args:
        folder: each of its subfolders holds images with one attribute, two subfolders or more.
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        steps: images per row, at least 2.
        extent: the largest multiple of the vector, above 0.
        seed: of the choice of the test image.
    """

    def __init__(
        self, folder: str, generator: str | None = None, steps: int = 9, extent: float = 1.5, seed: int = 0
    ) -> None:
        check_integer("[2, inf)", steps=steps)
        check_number("(0, inf)", extent=extent)
        self.folder, self.generator, self.steps = Path(folder), generator, steps
        self.extent, self.seed = extent, seed

    def check(self, run: Run) -> None:
        check_encoder(run)
        labelled_files(self.folder)

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        check_encoder(run)
        name, files = run.sampler.choose(self.generator), labelled_files(self.folder)
        codes = {label: run.sampler.encode(name, read_images(run, some)).cpu() for label, some in files.items()}
        vectors = attribute_vectors(list(codes.values()))
        arrays = {"names": np.array(list(codes)), "vectors": vectors.numpy()}
        written = [save_arrays(folder / f"attributes_{name}.npz", **arrays)]
        one = some_test_images(run, 1, self.seed)
        times = torch.linspace(-self.extent, self.extent, self.steps)
        z = run.sampler.encode(name, one.images).cpu() + times[None, :, None] * vectors[:, None]  # (K, steps, dim)
        made = run.sampler.sample(name, z.flatten(0, 1), one.labels.expand(z.shape[0] * z.shape[1]))
        shown = torch.cat([one.images.expand(len(z), -1, -1, -1)[:, None], made.unflatten(0, z.shape[:2])], 1)
        picture = frame_column(grid(shown.flatten(0, 1), self.steps + 1), 0, self.steps + 1)
        picture = add_caption(picture, f"{describe(run, name)} · rows: {', '.join(codes)}")
        return [*written, save_picture(picture, folder / f"attributes_{name}.png")]


def attribute_vectors(codes: Sequence[Tensor]) -> Tensor:
    """The mean of each set of codes minus the mean of all other codes, (K, dim); sets are (N, dim), K at least 2."""
    others = [torch.cat([some for j, some in enumerate(codes) if j != i]).mean(0) for i in range(len(codes))]
    return torch.stack([some.mean(0) - other for some, other in zip(codes, others, strict=True)])


def labelled_files(folder: Path) -> dict[str, list[Path]]:
    """The image files of each subfolder that has any, by its name; raises UserError for fewer than two subfolders."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give one whose subfolders hold the images of one attribute each.")
    found = {
        sub.name: sorted(path for path in sub.iterdir() if path.suffix.lower() in SUFFIXES)
        for sub in sorted(folder.iterdir())
        if sub.is_dir()
    }
    found = {name: files for name, files in found.items() if files}
    if len(found) < 2:
        raise UserError(f"{folder} has images in {len(found)} of its subfolders; an attribute needs two to compare.")
    return found
