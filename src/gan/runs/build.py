"""From the configuration to the objects of a run: the only place that instantiates anything."""

import inspect
import logging
import re
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from gan.core.errors import UserError, did_you_mean, one_line
from gan.core.random import derive
from gan.data.base import Source
from gan.methods.gan import GAN, PLAYERS
from gan.networks.base import Generator
from gan.runs import checkpoint
from gan.runs.checkpoint import AtomicCheckpointIO
from gan.runs.config import TRAINING, check
from gan.runs.precision import REASON, resolve_precision

log = logging.getLogger(__name__)

#: arguments of the Trainer that another key of ours stands for
ELSEWHERE = {
    "gradient_clip_val": "optim.gradient_clip",
    "accumulate_grad_batches": "data.batch_size",
    "overfit_batches": "trainer.limit_train_batches",
    "callbacks": "callbacks=… or callbacks.NAME.KEY",
    "logger": "logger=…",
    "enable_progress_bar": "~callbacks.progress",
    "enable_checkpointing": "~callbacks.checkpoint",
    "log_every_n_steps": "callbacks.monitor.every_n_batches",
    "default_root_dir": "output_dir",
}


@dataclass
class Game:
    """Everything that a run consists of."""

    module: GAN
    data: Source
    trainer: pl.Trainer


def build(cfg: DictConfig, saved: dict | None = None) -> Game:
    """Builds a run without touching its data.

    Args:
        cfg: the configuration; ``trainer.precision=auto`` in it is replaced by what it means here.
        saved: the checkpoint that the run resumes from, or None.

    Raises:
        UserError: a key or value that cannot be, named.
    """
    check(cfg, TRAINING)
    resolve_precision(cfg, saved)
    game = Game(data=part(cfg, "data"), module=module(cfg), trainer=trainer(cfg))
    players = {player: getattr(game.module, player) for player in PLAYERS}
    whole = [player for player, network in players.items() if network.mixes_batch]
    if whole and game.trainer.world_size > 1:
        raise UserError(
            f"trainer.devices: model.{whole[0]} looks at the minibatch as a whole, of which each of "
            f"{game.trainer.world_size} processes has a part; give trainer.devices=1."
        )
    return game


def module(cfg: DictConfig) -> GAN:
    """The game with freshly drawn weights, a function of the configuration alone."""
    torch.manual_seed(derive(cfg.seed, "weights"))
    optimizers = {player: part(cfg, f"optim.{player}", **_not_fused(cfg, player)) for player in PLAYERS}
    for player, optimizer in optimizers.items():
        # A rate that torch refuses should be refused now, and not when the fit begins.
        tried = _explain(f"optim.{player}", cfg.optim[player], optimizer, [torch.nn.Parameter(torch.zeros(1))])
        if cfg.optim.get("momentum") and "momentum" not in tried.defaults:
            raise UserError(f"optim.momentum: {type(tried).__name__}, optim.{player}, has no momentum; take optim=sgd.")
    if cfg.optim.simultaneous and cfg.trainer.precision == "16-mixed":
        # The one gradient scaler changes with D's step, which here comes after G's gradient.
        raise UserError("trainer.precision=16-mixed does not go with optim.simultaneous=true; take bf16-mixed.")
    if cfg.optim.simultaneous and cfg.g_steps != 1:
        raise UserError(
            f"g_steps={cfg.g_steps}: with optim.simultaneous=true each player takes one step; give g_steps=1."
        )
    game = GAN(
        latent=part(cfg, "latent"),
        generator=part(cfg, "model.generator"),
        discriminator=part(cfg, "model.discriminator"),
        loss=part(cfg, "loss"),
        penalty=part(cfg, "penalty") if chosen(cfg, "penalty") else None,
        generator_optimizer=optimizers["generator"],
        discriminator_optimizer=optimizers["discriminator"],
        generator_schedule=part(cfg, "optim.schedule.generator"),
        discriminator_schedule=part(cfg, "optim.schedule.discriminator"),
        k=cfg.k,
        g_steps=cfg.g_steps,
        simultaneous=cfg.optim.simultaneous,
        momentum=part(cfg, "optim.momentum") if cfg.optim.get("momentum") else None,
        ema_decay=cfg.ema.decay,
        ema_power=cfg.ema.power,
        gradient_clip=cfg.optim.gradient_clip,
        capture=cfg.trainer.get("capture", False),
        seed=cfg.seed,
    )
    # Kept in every checkpoint: it alone rebuilds the game.
    game.save_hyperparameters(OmegaConf.to_container(cfg, resolve=True))
    return game


def load_weights(game: GAN, saved: dict, source: str) -> None:
    """Puts a checkpoint's weights into the game; raises UserError unless they are of the same networks."""
    try:
        game.load_state_dict(saved["state_dict"])
    except RuntimeError as error:
        detail = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(
            f"{source} holds another network than model and data describe ({detail}). "
            "Leave model, data.image_size, latent.dim and ema.decay as they were."
        ) from error
    game.iteration = saved["iteration"]


def trainer(cfg: DictConfig) -> pl.Trainer:
    """Lightning's Trainer without a limit of its own: the module ends the run at its last minibatch."""
    arguments = OmegaConf.to_container(cfg.trainer, resolve=True)
    if not isinstance(arguments.pop("capture", False), bool):  # for the module
        raise UserError(f"trainer.capture={cfg.trainer.capture}: choose true or false.")
    arguments.pop(REASON, None)
    if arguments.get("accelerator") in ("gpu", "cuda") and not torch.accelerator.is_available():
        raise UserError(
            "trainer.accelerator=gpu: torch finds no GPU on this machine; take trainer=cpu or trainer=auto."
        )
    if taken := [key for key in arguments if key in ELSEWHERE]:
        raise UserError(f"trainer.{taken[0]} is not for the Trainer here; set {ELSEWHERE[taken[0]]}.")
    if arguments.get("strategy") in ("auto", "ddp") and _several(arguments):
        arguments["strategy"] = "ddp_find_unused_parameters_true"  # plain ddp cannot serve two optimizers
    callbacks = [
        part(cfg, f"callbacks.{name}") for name in cfg.get("callbacks") or {} if chosen(cfg, f"callbacks.{name}")
    ]
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
        "max_epochs": -1,
        "max_steps": -1,
        "log_every_n_steps": 0,  # the monitor does it, on its own axis
    }
    return _explain("trainer", cfg.trainer, pl.Trainer, **arguments)


def prepare(game: Game, cfg: DictConfig) -> None:
    """Loads the data and fits the game to it: everything that can go wrong before the first step does so here."""
    game.data.prepare_data()
    game.data.setup("fit")
    game.module.total_iterations = total_iterations(cfg, game.data.batches_per_epoch(game.trainer.world_size))
    if not cfg.ckpt_path:  # a checkpoint brings all that has been left in the weights
        game.module.generator.adapt_to_data(game.data.mean_image)
        load_trained(game.module.generator)
    if game.module.generator_ema is not None:
        game.module.generator_ema.load_state_dict(game.module.generator.state_dict())
    check_networks(game.module, (game.data.channels, game.data.image_size, game.data.image_size))


def load_trained(generator: Generator) -> None:
    """Hands a generator that starts from another run's the weights of that one."""
    if generator.start_from is None:
        return
    key = "model.generator.start_from"
    saved = checkpoint.read(generator.start_from, key)
    weights = {k.removeprefix("generator."): v for k, v in saved["state_dict"].items() if k.startswith("generator.")}
    try:
        generator.load_trained(weights)
    except RuntimeError as error:
        raise UserError(f"{key}={generator.start_from} holds another generator: {one_line(error)[:200]}.") from error
    log.info("G goes on from %s, iteration %s", generator.start_from, f"{saved['iteration']:,}")


def total_iterations(cfg: DictConfig, batches_per_epoch: int) -> int:
    """Length of the whole run, from the three limits that the Trainer takes."""
    limit = cfg.trainer.limit_train_batches
    batches = min(batches_per_epoch, limit) if isinstance(limit, int) else int(batches_per_epoch * min(limit, 1.0))
    if batches < 1:
        raise UserError(f"trainer.limit_train_batches={limit} leaves none of the {batches_per_epoch} minibatches.")
    bounds = [n for n in ((cfg.trainer.max_epochs or -1) * batches, cfg.trainer.max_steps or -1) if n > 0]
    if not bounds:
        raise UserError("trainer.max_epochs or trainer.max_steps must set an end to the training.")
    if min(bounds) < cfg.k:
        raise UserError(f"k={cfg.k}: the generator would never move in a run of {min(bounds)} minibatches.")
    return min(bounds)


def _several(arguments: dict[str, Any]) -> bool:
    """Whether the Trainer's arguments ask for more than one process."""
    devices = arguments.get("devices", 1)
    if devices in ("auto", -1, "-1"):
        return arguments.get("accelerator") != "cpu" and torch.cuda.device_count() > 1
    listed = str(devices).strip("[]").split(",")
    return len(listed) > 1 or (isinstance(devices, int) and devices > 1) or arguments.get("num_nodes", 1) > 1


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
    except (RuntimeError, TypeError) as error:
        raise UserError(f"model does not fit images of shape {shape}: {one_line(error)}") from error
    finally:
        for network in networks:
            network.train()


def chosen(cfg: DictConfig, key: str) -> bool:
    """Whether there is anything to build at ``key``.

    Where the choice is ``none`` a preset may still have set a key of what it had chosen itself.
    """
    node = OmegaConf.select(cfg, key)
    return bool(node) and (not OmegaConf.is_dict(node) or "_target_" in node)


def part(cfg: DictConfig, key: str, **extra: Any) -> Any:
    """Instantiates the node at ``key``; a failure names the key."""
    node = OmegaConf.select(cfg, key)
    if not OmegaConf.is_dict(node) or "_target_" not in node:
        raise UserError(f"{key} must be a mapping with a _target_ (a class to build), got {node}.")
    if missing := OmegaConf.missing_keys(node):
        raise UserError(f"{min(missing)} is missing; give {min(missing)}=… on the command line.")
    return _explain(key, node, instantiate, node, _convert_="all", **extra)


def _explain(key: str, node: DictConfig, make: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls ``make`` and turns what it complains of into one line that begins with the key."""
    try:
        return make(*args, **kwargs)
    except (InstantiationException, MisconfigurationException, ImportError, ValueError, TypeError) as error:
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
        if isinstance(cause, TypeError):  # Python's words: show what it was given
            message += f" (given {', '.join(f'{k}={v}' for k, v in node.items() if k[0] != '_')})"
        raise UserError(f"{key}: {message}.") from error


def _not_fused(cfg: DictConfig, player: str) -> dict[str, bool]:
    """Fused optimizers unscale 16-mixed gradients themselves, too late to be clipped or measured."""
    return {"fused": False} if cfg.trainer.precision == "16-mixed" and cfg.optim[player].get("fused") else {}
