"""What all contestants train: networks, data and sizes. Nothing here imports Lightning: not all contestants need it."""

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from gan.core.random import derive
from gan.networks.base import Discriminator, Generator
from gan.networks.layers import Dropout


@dataclass(frozen=True)
class Precision:
    """The precision of matrix products.

    Args:
        trainer: Lightning's name for it.
        matmul: the argument of ``torch.set_float32_matmul_precision``.
        autocast: whether the step runs in bfloat16 where torch thinks it safe.
    """

    trainer: str
    matmul: str
    autocast: bool

    @property
    def factors(self) -> torch.dtype:
        """The dtype of the factors of a matrix product."""
        return torch.bfloat16 if self.autocast else torch.float32


PRECISIONS = {
    "float32": Precision("32-true", "highest", False),
    "float32-medium": Precision("32-true", "medium", False),
    "bf16-mixed": Precision("bf16-mixed", "highest", True),
}


@dataclass(frozen=True)
class Game:
    """A training setup as one small file of plain values, for processes without Hydra.

    Args:
        generator, discriminator, latent, loss: a class, ``_target_``, and its arguments.
        penalty: the same for each penalty by name.
        k: batches between two steps of the generator.
        optimizers: learning rate and betas of each player's Adam.
        hold: the share of the run before the learning rates begin to fall to 0.
        ema_decay, ema_power: parameters of the generator's EMA.
        seed: the seed of weights, order, latents and dropout.
        batch_size: images in a batch.
        minibatches: batches of the run.
        device: ``cpu`` or ``cuda``.
        precision: one of ``PRECISIONS``.
        images: a file with ``images``, uint8 (N, C, H, W), and ``mean_image``, float32 (C, H, W).
    """

    generator: dict[str, Any]
    discriminator: dict[str, Any]
    latent: dict[str, Any]
    loss: dict[str, Any]
    penalty: dict[str, dict[str, Any]]
    k: int
    optimizers: dict[str, dict[str, Any]]
    hold: float
    ema_decay: float
    ema_power: float
    seed: int
    batch_size: int
    minibatches: int
    device: str
    precision: str
    images: str

    @classmethod
    def of(cls, cfg: DictConfig, images: Path, minibatches: int, device: str, precision: str) -> "Game":
        """The game of a ``train.py`` configuration."""
        plain = OmegaConf.to_container(cfg, resolve=True)
        players = ("generator", "discriminator")
        return cls(
            **{player: plain["model"][player] for player in players},
            latent=plain["latent"],
            loss=plain["loss"],
            penalty=plain.get("penalty") or {},
            k=plain["k"],
            optimizers={p: {key: plain["optim"][p][key] for key in ("lr", "betas")} for p in players},
            hold=plain["optim"]["schedule"]["generator"].get("hold", 1.0),
            ema_decay=plain["ema"]["decay"],
            ema_power=plain["ema"]["power"],
            seed=plain["seed"],
            batch_size=plain["data"]["batch_size"],
            minibatches=minibatches,
            device=device,
            precision=precision,
            images=str(images),
        )

    @classmethod
    def read(cls, path: str | Path) -> "Game":
        return cls(**json.loads(Path(path).read_text()))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    def load_images(self) -> tuple[Tensor, Tensor]:
        """Loads the images and their mean."""
        saved = torch.load(self.images)
        return saved["images"], saved["mean_image"]

    def networks(self, mean_image: Tensor) -> tuple[Generator, Discriminator]:
        """Generator and discriminator with the initial weights of ``train.py``."""
        torch.manual_seed(derive(self.seed, "weights"))
        generator, discriminator = make(self.generator), make(self.discriminator)
        generator.adapt_to_data(lambda: mean_image)
        return generator, discriminator

    def autocast(self, **arguments: Any) -> AbstractContextManager:
        """The autocast context of the forward passes."""
        enabled = PRECISIONS[self.precision].autocast
        return torch.autocast(self.device, torch.bfloat16, enabled=enabled, **arguments)


def with_layers_of_torch(network: nn.Module) -> nn.Module:
    """The same network with torch's own linear layers and dropout."""
    for name, layer in network.named_children():
        if isinstance(layer, Dropout):
            setattr(network, name, nn.Dropout(layer.p))
        else:
            with_layers_of_torch(layer)
    return network


def make(node: dict[str, Any]) -> Any:
    """An object of the class ``_target_`` with the other keys as arguments, or with ``_partial_`` its constructor."""
    arguments = {k: make(v) if isinstance(v, dict) and "_target_" in v else v for k, v in node.items()}
    target = resolve_name(arguments.pop("_target_"))
    return partial(target, **arguments) if arguments.pop("_partial_", False) else target(**arguments)
