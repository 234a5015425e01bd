"""A run's folder, opened again: what evaluate.py and sample.py look at."""

from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan.core.errors import UserError, did_you_mean
from gan.core.random import RandomRows, derive
from gan.data.base import ImageData, Source
from gan.methods.gan import GAN, sample
from gan.runs import build, checkpoint

BEST = "best"  # the checkpoint that evaluate.py select=best has chosen
BATCH = 500  # images drawn at a time: enough to fill a device, little enough for its memory


@dataclass
class Run:
    """A trained game and its data.

    Attributes:
        folder: the run's folder.
        cfg: what it was trained with.
        module: the game, its weights read.
        data: its data, loaded when :meth:`load_data` is called.
        checkpoint: the file that the weights were read from, None for a game that has just been played.
    """

    folder: Path
    cfg: DictConfig
    module: GAN
    data: Source
    checkpoint: Path | None = None

    def load_data(self) -> Source:
        """The data, read if it has not been."""
        if not self.data.is_loaded:
            self.data.prepare_data()
            self.data.setup("fit")
        return self.data

    def load_images(self) -> ImageData:
        """The data, read, of a run on images; raises UserError for another source."""
        data = self.load_data()
        if not isinstance(data, ImageData):
            raise UserError(f"{self.folder} was trained on {data.describe()}; this needs a set of images.")
        return data

    def generator(self, name: str) -> torch.nn.Module:
        """The ``raw`` or the ``ema`` generator; raises UserError where there is no such one."""
        known = self.module.generators()
        if name not in known:
            raise UserError(
                f"generator={name}: {self.folder} has {' and '.join(known)}."
                + did_you_mean(name, known)
                + (" Its average is not kept with ema.decay=0." if name == "ema" else "")
            )
        return known[name]

    def preferred(self, name: str | None) -> str:
        """``name``, or for None ``ema`` where an average is kept and ``raw`` otherwise; UserError for a strange one."""
        name = name or list(self.module.generators())[-1]
        self.generator(name)
        return name

    def latents(self, count: int, seed: int, stream: str = "samples") -> tuple[Tensor, Tensor]:
        """``count`` draws of the run's latent, a function of the seed alone, on the CPU.

        Returns:
            z (count, dim) and labels (count,), -1 where the latent knows no classes.
        """
        random = RandomRows(generator=torch.Generator().manual_seed(derive(seed, stream)))
        return self.module.latent(random, torch.full((count,), -1))

    def noise(self, count: int, seed: int, stream: str = "samples") -> Tensor:
        """The z of :meth:`latents`, (count, dim)."""
        return self.latents(count, seed, stream)[0]

    def draw(self, name: str, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [0, 1] of the named generator for latents (N, dim), on the CPU.

        Args:
            name: ``raw`` or ``ema``.
            z: (N, dim).
            labels: (N,), which a conditional generator needs; None for unknown ones.
        """
        labels = torch.full((len(z),), -1) if labels is None else labels
        generator = self.generator(name)
        device = next(generator.parameters()).device
        parts = zip(z.split(BATCH), labels.split(BATCH), strict=True)
        return torch.cat([sample(generator, part.to(device), some).cpu() for part, some in parts])


def open_run(folder: str | Path | None, which: str = "last", root: str | None = None, device: str = "auto") -> Run:
    """The run in ``folder``.

    Args:
        folder: a run's folder.
        which: the name of a checkpoint in its ``checkpoints/`` without the ending, or a path to one.
        root: where the data lies, if not where it lay in training.
        device: where the networks go: a device, or ``auto`` for the GPU where there is one.

    Raises:
        UserError: no folder, no checkpoint, or one that does not fit.
    """
    path = find_checkpoint(folder, which)
    saved = checkpoint.read(path, key="checkpoint")
    cfg = OmegaConf.create(saved["hyper_parameters"])
    if root is not None:
        if "root" not in cfg.data:
            raise UserError(f"data.root={root}: the run's data ({cfg.data._target_}) has no root.")
        cfg.data.root = root
    module = build.module(cfg)
    build.load_weights(module, saved, f"checkpoint={path}")
    return Run(Path(folder), cfg, module.to(pick_device(device)).eval(), build.part(cfg, "data"), path)


def find_checkpoint(folder: str | Path | None, which: str) -> Path:
    """The file that ``run=folder checkpoint=which`` means."""
    if not folder:
        raise UserError("run is missing; give a run's folder: run=outputs/runs/DATE/TIME.")
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"run={folder}: no such folder. Runs are in outputs/runs/DATE/TIME.")
    inside = folder / "checkpoints" / Path(which).name
    if which.endswith(".ckpt") and not (inside.name == which and inside.is_file()):
        return Path(which)
    which = which.removesuffix(".ckpt")
    held = {path.stem: path for path in sorted((folder / "checkpoints").glob("*.ckpt"))}
    if not held:
        raise UserError(f"run={folder} holds no checkpoints/; give the folder of a single run.")
    if which not in held:
        if which == BEST:
            raise UserError(f"checkpoint=best: none has been chosen; python evaluate.py run={folder} select=best does.")
        raise UserError(f"checkpoint={which}: {folder} has {', '.join(held)}.{did_you_mean(which, held)}")
    return held[which]


def runs_in(folder: str | Path | None) -> list[Path]:
    """The folders of runs that ``folder`` means: itself, or the jobs of the sweep that it holds, in their order."""
    if folder and Path(folder).is_dir() and not (Path(folder) / "checkpoints").is_dir():
        jobs = [path.parent for path in Path(folder).glob("*/checkpoints")]
        if jobs:
            return sorted(jobs, key=lambda path: (len(path.name), path.name))  # 2 before 10
    return [Path(folder)] if folder else []


def pick_device(name: str) -> torch.device:
    """The device of that name, or the best there is for ``auto``."""
    if name != "auto":
        try:
            return torch.empty(0, device=name).device
        except RuntimeError as error:
            raise UserError(f"device={name}: torch cannot use it here; take cpu or auto.") from error
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")
