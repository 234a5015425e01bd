"""Figures and arrays of existing runs: the implementation of ``sample.py``."""

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan.app.failures import in_one_line
from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.core.files import naming, write_whole
from gan.core.hardware import true_float32
from gan.core.quiet import quiet
from gan.figures.base import Comparison, Figure
from gan.figures.drawing import check_channels
from gan.networks.base import Network
from gan.runs.exported import CHECKSUM, LATENT, checksum
from gan.runs.folder import runs_in
from gan.runs.instantiate import check_texts, parts
from gan.runs.run import Run, open_run

log = logging.getLogger(__name__)


@in_one_line
def run(cfg: DictConfig) -> None:
    """Draws the figures and saves the arrays that ``cfg`` names.

    Raises:
        UserError: any mistake that the user can fix.
    """
    quiet()
    true_float32()
    check_texts(cfg)
    check_integer(seed=cfg.seed)
    check_integer("[1, inf)", num_samples=cfg.num_samples)
    check_integer("[0, inf)", or_none=True, label=cfg.label)
    figures = list(parts(cfg, "figures").values())
    if not (figures or cfg.save_samples or cfg.save_images or cfg.export):
        raise UserError("figures=none leaves nothing to do; give save_samples, save_images or export=true.")
    folders = runs_in(cfg.run) or [None]
    together = [figure for figure in figures if isinstance(figure, Comparison) and len(folders) > 1]
    opened = []
    for folder in folders:
        one = open_run(folder, cfg.checkpoint, cfg.data.root, cfg.device, cfg.trust)
        log.info("%s  %s, iteration %s", one.folder, one.checkpoint.name, f"{one.iteration:,}")
        target = place(cfg, one.folder, several=len(folders) > 1)
        tell(draw(one, [figure for figure in figures if figure not in together], target))
        tell(save(one, cfg, target))
        opened += [one] if together else []
    for figure in together:
        log.info("%d runs together", len(opened))
        tell(figure.compare(opened, place(cfg, Path(cfg.run), several=False)))


def place(cfg: DictConfig, folder: Path, several: bool, name: str = "figures") -> Path:
    """The output folder for the run or sweep in ``folder``; with several runs a subfolder of ``cfg.folder`` each.

    ``name`` is its subfolder where ``cfg.folder`` is null.
    """
    if cfg.folder is None:
        return folder / name
    return Path(cfg.folder) / folder.relative_to(cfg.run) if several else Path(cfg.folder)


def draw(run: Run, figures: Sequence[Figure], folder: Path) -> Iterable[Path]:
    """Draws every figure of one run and yields the files."""
    for figure in figures:
        yield from figure(run, folder)


def tell(paths: Iterable[Path]) -> None:
    """Logs each file as soon as it is written."""
    for path in paths:
        log.info("  → %s", path)


def save(run: Run, cfg: DictConfig, folder: Path) -> Iterable[Path]:
    """Saves the arrays, images and weights that ``cfg`` asks for."""
    name = run.sampler.choose(cfg.generator)
    if cfg.save_samples or cfg.save_images:
        z, labels = run.sampler.numbered_latents(cfg.num_samples, cfg.seed, label=cfg.label)
        images = run.sampler.sample(name, z, labels)
        if cfg.save_samples:
            yield save_samples(folder / f"samples_{name}.npz", images, z, labels)
        if cfg.save_images:
            yield save_images(folder / f"images_{name}", images)
    if cfg.export:
        yield export(run, name, folder / "generator.safetensors")


def save_samples(path: Path, images: Tensor, z: Tensor, labels: Tensor) -> Path:
    """Writes float32 arrays ``images`` (N, C, H, W) in [0, 1] and ``z`` (N, dim), and ``labels`` if there are any."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"images": images.numpy(), "z": z.numpy()}
    arrays |= {"labels": labels.numpy()} if bool((labels >= 0).any()) else {}
    with write_whole(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return path


def save_images(folder: Path, images: Tensor) -> Path:
    """Writes each of the images (N, C, H, W) as ``00000.png``, … at its original size; gray ones as grayscale.

    Raises UserError unless C is 1 or 3.
    """
    from PIL import Image

    check_channels(images.shape[1])
    folder.mkdir(parents=True, exist_ok=True)
    levels = images.mul(255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()  # (N, H, W, C)
    for number, image in enumerate(levels):
        path = folder / f"{number:05d}.png"
        with naming(path):
            Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(path)
    return folder


def export(run: Run, name: str, path: Path) -> Path:
    """Writes a generator's weights as safetensors, with metadata to rebuild and use it.

    Metadata: ``config`` (JSON) is the run's configuration, whose ``model.generator`` builds the network; ``latent``
    (JSON) is its prior; ``image_shape`` (JSON) is the shape of its samples; ``generator`` is raw or ema; ``sha256`` is
    the checksum of the weights and of the other metadata. The weights of a trained prior have names in ``latent:``.
    """
    from safetensors.torch import save

    generator = run.sampler.generator(name)
    config = OmegaConf.to_container(run.cfg, resolve=True)
    (image,) = run.sampler.sample(name, *run.sampler.latents(1, seed=0))
    metadata = {
        "generator": name,
        "iteration": str(run.module.iteration),
        "image_shape": json.dumps(list(image.shape)),
        "latent": json.dumps(config["latent"]),
        "config": json.dumps(config),
    }
    weights = {key: value.cpu().contiguous() for key, value in generator.state_dict().items()}
    if isinstance(latent := run.module.latent, Network):  # a trained prior has weights, too
        weights |= {f"{LATENT}{key}": value.cpu().contiguous() for key, value in latent.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    content = save(weights, metadata | {CHECKSUM: checksum(weights, metadata)})
    with write_whole(path) as unfinished:
        unfinished.write_bytes(content)
    return path
