"""A run's folder with its networks and data, which are built at the first use."""

from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path

import torch
from omegaconf import DictConfig

from gan.core.errors import UserError
from gan.data.base import ImageData, Source
from gan.methods.base import Method
from gan.methods.sampler import Sampler
from gan.runs import build, checkpoint
from gan.runs.folder import check_links, find_checkpoint
from gan.runs.foreign import to_config
from gan.runs.instantiate import part
from gan.runs.limits import limit_networks
from gan.runs.trust import check_targets, is_trusted, packages

#: groups of a run's configuration that are not built again when it is opened
ONLY_TRAINING = ("callbacks", "logger", "metrics", "figures")


class Run:
    """A trained method and its data.

    Args:
        folder: the run's folder.
        cfg: the configuration of its training.
        restore: builds the method and loads its weights.
        iteration: the iteration of the weights; None for that of the method.
        checkpoint: the file of the weights; None for a method in training.
        data: the data; None to build it from ``cfg``. It is loaded when :meth:`load_data` is called.

    Attributes:
        scalars: before and in a training, the names of the curves that it writes, except scores; else None.
    """

    def __init__(
        self,
        folder: Path,
        cfg: DictConfig,
        restore: Callable[[], Method],
        iteration: int | None = None,
        checkpoint: Path | None = None,
        data: Source | None = None,
    ) -> None:
        self.folder, self.cfg, self.checkpoint = folder, cfg, checkpoint
        self._restore, self._iteration = restore, iteration
        self.scalars: list[str] | None = None
        if data is not None:
            self.data = data

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, iteration {self.iteration:,})"

    @cached_property
    def module(self) -> Method:
        """The method with the run's weights; raises UserError if they do not fit its configuration."""
        return self._restore()

    @property
    def iteration(self) -> int:
        """Number of batches that the weights were trained on."""
        return self.module.iteration if self._iteration is None else self._iteration

    @cached_property
    def sampler(self) -> Sampler:
        """The sampler of the method."""
        return Sampler(self.module, lambda: build.module(self.cfg))

    @cached_property
    def data(self) -> Source:
        """The data, not necessarily loaded."""
        return part(self.cfg, "data")

    @property
    def origin(self) -> dict:
        """The origin of samples, for the records in ``metrics.json``."""
        if self.checkpoint is None:
            name = "last.ckpt"  # a training that has just ended
        else:
            path = self.checkpoint.resolve()  # best.ckpt is a link to another checkpoint
            name = path.name if path.is_relative_to(self.folder.resolve()) else str(self.checkpoint)
        device = next(self.module.parameters()).device.type
        return {"checkpoint": name, "iteration": self.iteration, "data": self.data.describe(), "device": device}

    def load_data(self) -> Source:
        """The data, loaded if it is not yet."""
        if not self.data.is_loaded:
            self.data.prepare_data()
            self.data.setup("fit")
        return self.data

    def load_images(self) -> ImageData:
        """The loaded data of a run on images; raises UserError for other data."""
        data = self.load_data()
        if not isinstance(data, ImageData):
            raise UserError(f"{self.folder} was trained on {data.describe()}; this needs a set of images.")
        return data


def open_run(
    folder: str | Path | None,
    which: str = "last",
    root: str | None = None,
    device: str = "auto",
    trust: str | Collection[str] | None = None,
    accepted: Collection[tuple[str | None, str]] = (),
) -> Run:
    """Opens the run in ``folder``; its networks are built at the first use.

    Args:
        folder: a run's folder.
        which: the name of a checkpoint in its ``checkpoints/`` without the ending, or a path to one.
        root: the data's folder, if it has moved since the training.
        device: device of the networks, or ``auto`` for the GPU if there is one.
        trust: the user's own packages whose classes the checkpoint may name, such as ``my_gan``.
        accepted: pairs (role, class) of a configuration that is not foreign, from :func:`gan.runs.trust.accept`.

    Raises:
        UserError: there is no such folder or checkpoint, the checkpoint does not fit, or it names a class that is
            neither of this program nor of a trusted package.
    """
    path = find_checkpoint(folder, which)
    check_links(Path(folder))
    saved = checkpoint.read(path, key="checkpoint")
    cfg = trusted_config(saved["hyper_parameters"], f"checkpoint={path}", trust, accepted)
    if root is not None:
        if "root" not in cfg.data:
            raise UserError(f"data.root={root}: the run's data ({cfg.data._target_}) has no root.")
        cfg.data.root = root
    place = pick_device(device)

    def restore() -> Method:
        with limit_networks(cfg, saved["state_dict"], f"checkpoint={path}"):
            module = build.module(cfg)
        build.load_weights(module, saved, f"checkpoint={path}")
        return module.to(place).eval()

    return Run(Path(folder), cfg, restore, saved["iteration"], path)


def trusted_config(
    config: dict,
    source: str,
    trust: str | Collection[str] | None = None,
    accepted: Collection[tuple[str | None, str]] = (),
) -> DictConfig:
    """A configuration that was read from a file, for building its networks and data.

    Parts that only a training builds (``ONLY_TRAINING``) are left out if their classes are not trusted.

    Args:
        config: plain containers.
        source: the file, for messages.
        trust: the user's own packages.
        accepted: pairs (role, class) of a configuration that is not foreign.

    Raises:
        UserError: another part names a class that is neither of this program nor of a trusted package.
    """
    to_config(config, source)  # checks its shape
    names = packages(trust)
    kept = dict(config)
    for group in ONLY_TRAINING:
        if isinstance(parts := config.get(group), dict):
            kept[group] = {name: one for name, one in parts.items() if is_trusted({group: {name: one}}, names)}
    check_targets(kept, source, names, accepted)
    return to_config(kept, source)


def pick_device(name: str) -> torch.device:
    """The device of that name; for ``auto`` the best available one."""
    if name != "auto":
        try:
            one = torch.ones(1, device=name)
            one.item()  # device=meta holds no values
            return one.device
        except RuntimeError as error:
            raise UserError(f"device={name}: torch cannot use it here; take cpu or auto.") from error
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")
