"""From the configuration to the objects of a run: the only place that instantiates anything."""

import inspect
import re
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from gan.checkpoint import AtomicCheckpointIO
from gan.data.base import ImageData
from gan.errors import UserError, did_you_mean, one_line
from gan.module import GAN
from gan.seeding import derive

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
PLAYERS = ("generator", "discriminator")


@dataclass
class Game:
    """Everything that a run consists of."""

    module: GAN
    data: ImageData
    trainer: pl.Trainer


def build(cfg: DictConfig) -> Game:
    """Builds a run without touching its data.

    Raises:
        UserError: a key or value that cannot be, named.
    """
    return Game(module=module(cfg), data=part(cfg, "data"), trainer=trainer(cfg))


def module(cfg: DictConfig) -> GAN:
    """The game with freshly drawn weights, a function of the configuration alone."""
    torch.manual_seed(derive(cfg.seed, "weights"))
    optimizers = {player: part(cfg, f"optim.{player}", **_not_fused(cfg, player)) for player in PLAYERS}
    for player, optimizer in optimizers.items():
        # A rate that torch refuses should be refused now, and not when the fit begins.
        _explain(f"optim.{player}", cfg.optim[player], optimizer, [torch.nn.Parameter(torch.zeros(1))])
    try:
        game = GAN(
            latent=part(cfg, "latent"),
            generator=part(cfg, "model.generator"),
            discriminator=part(cfg, "model.discriminator"),
            loss=part(cfg, "loss"),
            penalty=part(cfg, "penalty") if cfg.get("penalty") else None,
            generator_optimizer=optimizers["generator"],
            discriminator_optimizer=optimizers["discriminator"],
            generator_schedule=part(cfg, "optim.schedule.generator"),
            discriminator_schedule=part(cfg, "optim.schedule.discriminator"),
            k=cfg.k,
            g_steps=cfg.g_steps,
            ema_decay=cfg.ema.decay,
            gradient_clip=cfg.optim.gradient_clip,
            seed=cfg.seed,
        )
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from error
    # Kept in every checkpoint: it alone rebuilds the game.
    game.save_hyperparameters(OmegaConf.to_container(cfg, resolve=True))
    return game


def trainer(cfg: DictConfig) -> pl.Trainer:
    """Lightning's Trainer; ``trainer.max_steps`` is in minibatches here."""
    arguments = OmegaConf.to_container(cfg.trainer, resolve=True)
    if arguments.get("precision") not in PRECISIONS:
        raise UserError(f"trainer.precision={arguments.get('precision')}: choose one of {', '.join(PRECISIONS)}.")
    if arguments.get("accelerator") in ("gpu", "cuda") and not torch.accelerator.is_available():
        raise UserError("trainer.accelerator=gpu: torch finds no GPU on this machine; give trainer=cpu or trainer=auto.")
    if (steps := arguments.get("max_steps", -1)) > 0:
        # Lightning counts the steps of both optimizers.
        arguments["max_steps"] = steps + cfg.g_steps * (steps // cfg.k)
    callbacks = [part(cfg, f"callbacks.{name}") for name in cfg.get("callbacks") or {}]
    loggers = [part(cfg, f"logger.{name}") for name in cfg.get("logger") or {}]
    arguments |= {
        "callbacks": callbacks,
        "logger": loggers or False,
        "enable_checkpointing": any(isinstance(c, pl.callbacks.Checkpoint) for c in callbacks),
        "enable_progress_bar": any(isinstance(c, pl.callbacks.ProgressBar) for c in callbacks),
        "plugins": [AtomicCheckpointIO()],
        "default_root_dir": cfg.output_dir,
        # The loader shards the minibatches itself; Lightning's sampler would shuffle them.
        "use_distributed_sampler": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 0,  # the monitor does it, on its own axis
    }
    return _explain("trainer", cfg.trainer, pl.Trainer, **arguments)


def prepare(game: Game, cfg: DictConfig) -> None:
    """Loads the data and fits the game to it: everything that can go wrong before the first step does so here."""
    game.data.prepare_data()
    game.data.setup("fit")
    game.module.total_minibatches = total_minibatches(cfg, game.data.batches_per_epoch(game.trainer.world_size))
    game.module.generator.adapt_to_data(game.data.mean_image())
    if game.module.generator_ema is not None:
        game.module.generator_ema.load_state_dict(game.module.generator.state_dict())
    check_networks(game.module, (game.data.channels, game.data.image_size, game.data.image_size))


def total_minibatches(cfg: DictConfig, batches_per_epoch: int) -> int:
    """Length of the whole run, from the three limits that the Trainer takes."""
    limit = cfg.trainer.limit_train_batches
    batches = min(batches_per_epoch, limit) if isinstance(limit, int) else int(batches_per_epoch * limit)
    bounds = [n for n in (cfg.trainer.max_epochs * batches, cfg.trainer.max_steps) if n > 0]
    if not bounds:
        raise UserError("trainer.max_epochs or trainer.max_steps must set an end to the training.")
    return min(bounds)


@torch.no_grad()
def check_networks(game: GAN, image_shape: tuple[int, int, int]) -> None:
    """One forward pass of each network on two images; raises UserError where shapes do not fit."""
    shape = tuple(image_shape)
    networks = (game.generator, game.discriminator)
    for network in networks:
        network.eval()
    try:
        images = game.generator(game.latent(2))
        if images.shape[1:] != shape:
            raise UserError(f"model.generator draws images of shape {tuple(images.shape[1:])}, the data has {shape}.")
        logits = game.discriminator(torch.zeros(2, *shape))
        if logits.shape != (2,):
            raise UserError(f"model.discriminator returns shape {tuple(logits.shape)} for 2 images, expected (2,).")
    except RuntimeError as error:
        raise UserError(f"model does not fit images of shape {shape}: {one_line(error)}") from error
    finally:
        for network in networks:
            network.train()


def part(cfg: DictConfig, key: str, **extra: Any) -> Any:
    """Instantiates the node at ``key``; a failure names the key."""
    node = OmegaConf.select(cfg, key)
    if not OmegaConf.is_dict(node) or "_target_" not in node:
        raise UserError(f"{key} must be a mapping with a _target_ (a class to build), got {node}.")
    return _explain(key, node, instantiate, node, _convert_="all", **extra)


def _explain(key: str, node: DictConfig, make: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls ``make`` and turns what it complains of into one line that begins with the key."""
    try:
        return make(*args, **kwargs)
    except (InstantiationException, MisconfigurationException, ValueError, TypeError) as error:
        cause: BaseException = error
        while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, UserError):
            raise cause from error
        message = one_line(cause)
        unknown = re.search(r"unexpected keyword argument '(\w+)'", message)
        if unknown:
            target = get_object(node["_target_"]) if "_target_" in node else make
            words = {*node, *inspect.signature(target).parameters} - {unknown[1]}
            raise UserError(f"{key} has no key '{unknown[1]}'.{did_you_mean(unknown[1], words)}") from error
        raise UserError(f"{key}: {message}.") from error


def _not_fused(cfg: DictConfig, player: str) -> dict[str, bool]:
    """Fused optimizers unscale 16-mixed gradients themselves, after the clipping: not to be had together."""
    both = cfg.trainer.precision == "16-mixed" and cfg.optim.gradient_clip and cfg.optim[player].get("fused")
    return {"fused": False} if both else {}
