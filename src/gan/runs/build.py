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
from gan.methods.base import Method
from gan.methods.player import Player
from gan.networks.base import Network
from gan.runs.checkpoint import AtomicCheckpointIO
from gan.runs.config import TRAINING, check
from gan.runs.identity import REASON
from gan.runs.precision import resolve_precision
from gan.runs.processes import DDP, Processes

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
class Experiment:
    """Everything that a training consists of."""

    module: Method
    data: Source
    trainer: pl.Trainer


def build(cfg: DictConfig, saved: dict | None = None) -> Experiment:
    """Builds a training without touching its data.

    Args:
        cfg: the configuration; ``trainer.precision=auto`` in it is replaced by what it means here.
        saved: the checkpoint that the run resumes from, or None.

    Raises:
        UserError: a key or value that cannot be, named.
    """
    check(cfg, TRAINING)
    resolve_precision(cfg, saved)
    experiment = Experiment(data=part(cfg, "data"), module=module(cfg), trainer=trainer(cfg))
    mixing = [name for name, network in networks_of(experiment.module).items() if network.mixes_batch]
    if mixing and experiment.trainer.world_size > 1:
        raise UserError(
            f"trainer.devices: model.{mixing[0]} compares the examples of a batch, of which each of "
            f"{experiment.trainer.world_size} processes has a part; give trainer.devices=1."
        )
    return experiment


def module(cfg: DictConfig) -> Method:
    """The method with freshly initialized networks, a function of the configuration alone.

    Its class is handed what its constructor names: networks of ``model``, the penalties and auxiliary terms, and every
    other key of the configuration that holds a part, such as ``latent`` and ``loss``.
    """
    key = "method"
    cls = get_object(target_of(cfg, key))
    names, required = constructor_arguments(cls)
    given: dict[str, Any] = {"players": {player: build_player(cfg, player) for player in cls.player_names}}
    torch.manual_seed(derive(cfg.seed, "weights"))
    # G first, then as configured: each network takes the random numbers that the one before has left.
    for name in sorted(cfg.model, key=lambda name: name != "generator"):
        if name in names and chosen(cfg, f"model.{name}"):
            given[name] = part(cfg, f"model.{name}")
    if "terms" in names:
        given["terms"] = build_terms(cfg)
    groups = [name for name in names if OmegaConf.is_dict(cfg.get(name)) and chosen(cfg, name)]
    given |= {name: part(cfg, name) for name in groups}
    for name in required - given.keys() - set(cfg.method):
        target_of(cfg, name if name in cfg else f"model.{name}")  # says what is missing
    given |= {
        "ema_decay": cfg.ema.decay,
        "ema_power": cfg.ema.power,
        "capture": cfg.trainer.get("capture", False),
        "seed": cfg.seed,
    }
    # Not as arguments of Hydra's, which would copy what they hold.
    method = _explain(key, cfg[key], part(cfg, key, _partial_=True), **given)
    if getattr(method, "simultaneous", False) and cfg.trainer.precision == "16-mixed":
        # The one gradient scaler changes with D's step, which here comes after G's gradient.
        raise UserError("trainer.precision=16-mixed does not go with optim.simultaneous=true; take bf16-mixed.")
    # Kept in every checkpoint: it alone rebuilds the method.
    method.save_hyperparameters(OmegaConf.to_container(cfg, resolve=True))
    return method


def constructor_arguments(cls: type) -> tuple[list[str], set[str]]:
    """The names of a class's arguments, those of its bases that it hands on included; and those without a default."""
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if "__init__" in vars(base):
            parameters = inspect.signature(vars(base)["__init__"]).parameters
            found = {name: p for name, p in parameters.items() if name != "self"} | found
            if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
                break
    named = {name: p for name, p in found.items() if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
    return list(named), {name for name, p in named.items() if p.default is p.empty}


def build_player(cfg: DictConfig, player: str) -> Player:
    """How a player is optimized: its part of ``optim``, and of ``constraint`` where one is chosen."""
    key = f"optim.{player}"
    optimizer = part(cfg, key, **_not_fused(cfg, player))
    # A rate that torch refuses should be refused now, and not when the fit begins.
    tried = _explain(key, cfg.optim[player], optimizer, [torch.nn.Parameter(torch.zeros(1))])
    if cfg.optim.get("momentum") and "momentum" not in tried.defaults:
        raise UserError(f"optim.momentum: {type(tried).__name__}, optim.{player}, has no momentum; take optim=sgd.")
    return Player(
        optimizer=optimizer,
        schedule=part(cfg, f"optim.schedule.{player}"),
        momentum=part(cfg, "optim.momentum") if cfg.optim.get("momentum") else None,
        clip=cfg.optim.gradient_clip,
        constraint=part(cfg, f"constraint.{player}") if chosen(cfg, f"constraint.{player}") else None,
    )


def build_terms(cfg: DictConfig) -> dict[str, Any]:
    """The penalties and auxiliary terms by their names; raises UserError for a name that both groups have."""
    terms: dict[str, Any] = {}
    for group in ("penalty", "auxiliary"):
        for name in cfg.get(group) or {}:
            if chosen(cfg, f"{group}.{name}"):
                if name in terms:
                    raise UserError(f"{group}.{name}: penalty.{name} has this name too; rename one of them.")
                terms[name] = part(cfg, f"{group}.{name}")
    return terms


def networks_of(method: Method) -> dict[str, Network]:
    """The networks that a method trains, by the names of its attributes."""
    trained = {network for networks in method.trained_networks.values() for network in networks}
    return {name: network for name, network in method.named_children() if network in trained}


def load_weights(method: Method, saved: dict, source: str) -> None:
    """Puts a checkpoint's weights into the method's networks; raises UserError unless they are of the same networks."""
    try:
        method.load_state_dict(saved["state_dict"])
    except RuntimeError as error:
        detail = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(
            f"{source} holds another network than model and data describe ({detail}). "
            "Leave model, data.image_size, latent.dim and ema.decay as they were."
        ) from error
    method.iteration = saved["iteration"]


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
    if arguments.get("strategy") in ("auto", *DDP) and _several(arguments):
        arguments["strategy"] = Processes()
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


def _several(arguments: dict[str, Any]) -> bool:
    """Whether the Trainer's arguments ask for more than one process."""
    devices = arguments.get("devices", 1)
    if devices in ("auto", -1, "-1"):
        return arguments.get("accelerator") != "cpu" and torch.cuda.device_count() > 1
    listed = str(devices).strip("[]").split(",")
    return len(listed) > 1 or (isinstance(devices, int) and devices > 1) or arguments.get("num_nodes", 1) > 1


def chosen(cfg: DictConfig, key: str) -> bool:
    """Whether there is anything to build at ``key``.

    Where the choice is ``none`` a preset may still have set a key of what it had chosen itself.
    """
    node = OmegaConf.select(cfg, key)
    return bool(node) and (not OmegaConf.is_dict(node) or "_target_" in node)


def target_of(cfg: DictConfig, key: str) -> str:
    """The dotted path of the class at ``key``; raises UserError where there is none."""
    node = OmegaConf.select(cfg, key)
    if not OmegaConf.is_dict(node) or "_target_" not in node:
        raise UserError(f"{key} must be a mapping with a _target_ (a class to build), got {node}.")
    return node._target_


def part(cfg: DictConfig, key: str, **extra: Any) -> Any:
    """Instantiates the node at ``key``; a failure names the key."""
    target_of(cfg, key)
    node = OmegaConf.select(cfg, key)
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
