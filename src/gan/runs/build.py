"""Builds the objects of a run from the configuration; no other module instantiates a run's parts."""

import inspect
import logging
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from textwrap import shorten
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from gan.core.checks import check_number
from gan.core.errors import UserError
from gan.core.random import derive
from gan.data.base import Source
from gan.methods.base import Method
from gan.methods.player import Player
from gan.networks.base import Discriminator, Network
from gan.runs.instantiate import SHARED, check_references, check_texts, chosen, explain, lookup, part, parts, target_of
from gan.runs.limits import limit_networks
from gan.runs.precision import resolve_precision
from gan.runs.trainer import build_trainer

log = logging.getLogger(__name__)

#: parts of a method with a state of their own, and the groups that choose them
STATEFUL = {"history": "history", "terms": "penalty or auxiliary"}


@dataclass
class Experiment:
    """All parts of a training."""

    module: Method
    data: Source
    trainer: pl.Trainer


def build(cfg: DictConfig, saved: dict | None = None) -> Experiment:
    """Builds a training without loading its data.

    Args:
        cfg: the configuration; ``trainer.precision=auto`` in it is replaced by the resolved precision.
        saved: the checkpoint that the run resumes from, or None.

    Raises:
        UserError: an invalid key or value; the message names it.
    """
    check_texts(cfg)
    check_references(cfg)
    resolve_precision(cfg, saved)
    data = part(cfg, "data")
    with limit_networks(cfg, saved["state_dict"], f"ckpt_path={cfg.ckpt_path}") if saved else nullcontext():
        method = module(cfg)
    experiment = Experiment(data=data, module=method, trainer=build_trainer(cfg))
    networks = networks_of(experiment.module)
    if data.labels_per_class is not None:
        for name, network in networks.items():
            if getattr(network, "compares_labels", False):
                raise UserError(
                    f"data.labels_per_class leaves out labels that model.{name} needs with every real image; set it to "
                    "null, or take conditioning=auxiliary_classifier."
                )
    mixing = [name for name, network in networks.items() if network.needs_whole_batch]
    if mixing and experiment.trainer.world_size > 1:
        raise UserError(
            f"trainer.devices: model.{mixing[0]} compares the examples of a batch, of which each of "
            f"{experiment.trainer.world_size} processes has a part; give trainer.devices=1."
        )
    pack = getattr(networks.get("discriminator"), "pack", 1)
    # without pixels torch fails in the first step, with them it normalizes each
    if mixing and data.batch_size < 2 * pack:
        raise UserError(
            f"data.batch_size must be at least {2 * pack} for batch normalization and other comparisons of a batch's "
            f"examples, as in model.{mixing[0]}, got {data.batch_size}."
        )
    if data.batch_size % pack:
        raise UserError(f"data.batch_size must be a multiple of view.packed.pack={pack}, got {data.batch_size}.")
    if (history := getattr(experiment.module, "history", None)) is not None:
        history.check(data.batch_size, pack)
    return experiment


def module(cfg: DictConfig) -> Method:
    """The method with newly initialized networks, a function of the configuration alone.

    Its constructor gets the arguments that it names: networks of ``model``, the penalties and auxiliary terms, and
    every other part of the configuration, such as ``latent`` and ``loss``.
    """
    key = "method"
    cls = get_object(target_of(cfg, key))
    names, required = constructor_arguments(cls)
    given: dict[str, Any] = {"players": {player: build_player(cfg, player) for player in cls.player_names}}
    groups = [name for name in names if OmegaConf.is_dict(cfg.get(name)) and chosen(cfg, name)]
    torch.manual_seed(derive(cfg.seed, "parts"))
    given |= {name: part(cfg, name) for name in groups}
    torch.manual_seed(derive(cfg.seed, "weights"))
    # G first, then in the configured order: the networks share one stream of random numbers.
    for name in sorted(cfg.model, key=lambda name: name != "generator"):
        if name in names and chosen(cfg, f"model.{name}"):
            given[name] = build_network(cfg, name)
    if "terms" in names:
        given["terms"] = build_terms(cfg)
    seen = [network for network in given.values() if isinstance(network, Discriminator)]
    refuse_unused(cfg, cls, [*names, *given["players"], *["view"] * bool(seen)])
    for name in required - given.keys() - set(cfg.method):
        target_of(cfg, name if name in cfg else f"model.{name}")  # raises an error that names the missing key
    given |= {name: lookup(cfg, where, False) for name, where in SHARED.items()}
    # Not passed through Hydra, which would copy the objects.
    method = explain(key, cfg[key], part(cfg, key, _partial_=True), **given)
    for name, term in method.objectives.items():
        if term.reads_weights and getattr(method, "simultaneous", False):
            raise UserError(
                f"auxiliary.{name} is of the weights and needs alternating updates; take optim.simultaneous=false."
            )
        if term.reads_weights and getattr(method, "lookahead", None):
            raise UserError(f"auxiliary.{name} is of D's weights, which lookahead replaces by others; leave out one.")
        term.bind(method.trained_networks)
    if getattr(method, "simultaneous", False) and cfg.trainer.precision == "16-mixed":
        # D's step changes the common gradient scale, but here it comes after G's scaled gradient is computed.
        raise UserError("trainer.precision=16-mixed does not go with optim.simultaneous=true; take bf16-mixed.")
    # Saved in every checkpoint: the configuration is enough to rebuild the method. The loggers get a summary.
    method.save_hyperparameters(OmegaConf.to_container(cfg, resolve=True), logger=False)
    return method


def refuse_unused(cfg: DictConfig, cls: type[Method], takes: Collection[str]) -> None:
    """Raises UserError for a chosen part that a method would ignore.

    Args:
        cfg: the configuration.
        cls: the method.
        takes: names of its arguments and players, and ``view`` if it has a discriminator of images.
    """
    used_by = {"penalty": "terms", "auxiliary": "terms", "view": "view"}
    several = {f"{group}.{name}": where for group, where in used_by.items() for name in cfg.get(group) or {}}
    constraints = {f"constraint.{player}": player for player in cfg.get("constraint") or {}}
    for key, where in {"history": "history", "lookahead": "lookahead", **several, **constraints}.items():
        if where not in takes and chosen(cfg, key):
            raise UserError(f"{key}: {cls.__name__} has no use for it; take {key.partition('.')[0]}=none.")


def build_network(cfg: DictConfig, name: str) -> Network:
    """A network of ``model``, inside its wrapper of ``conditioning`` and, if it is D, those of ``view``.

    Each wrapper is built for the images that it gets from the one around it. The first of ``view`` is the outermost.
    """
    is_seen = issubclass(get_object(target_of(cfg, f"model.{name}")), Discriminator)
    keys = [f"view.{view}" for view in cfg.get("view") or {}] if is_seen else []
    wrappers = []
    shape = given = list(lookup(cfg, f"model.{name}.image_shape") or [0])
    for key in filter(partial(chosen, cfg), [*keys, f"conditioning.{name}"]):
        node, make = OmegaConf.select(cfg, key), part(cfg, key, _partial_=True)
        wrappers.append((key, node, partial(make, image_shape=shape) if shape != given else make))
        if inner := getattr(make.func, "inner_channels", None):
            shape = [explain(key, node, inner, shape[0], **make.keywords), *shape[1:]]
    network = part(cfg, f"model.{name}", **({} if shape == given else {"image_shape": shape}))
    for key, node, make in reversed(wrappers):
        network = explain(key, node, make, network)
    return network


def constructor_arguments(cls: type) -> tuple[list[str], set[str]]:
    """The names of a class's arguments, including those that it passes on to its bases; and the required ones."""
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
    """A player's optimizer settings: its part of ``optim``, and of ``constraint`` if one is chosen."""
    key = f"optim.{player}"
    lookup(cfg, key)
    if "lr" in cfg.optim[player]:
        explain(key, cfg.optim[player], check_number, "[0, inf)", lr=cfg.optim[player].lr)
    optimizer = part(cfg, key, **_not_fused(cfg, player))
    # Reports an invalid learning rate now, and not when the fit starts.
    tried = explain(key, cfg.optim[player], optimizer, [torch.nn.Parameter(torch.zeros(1))])
    if cfg.optim.get("momentum") and "momentum" not in tried.defaults:
        raise UserError(f"optim.momentum: {type(tried).__name__}, optim.{player}, has no momentum; take optim=sgd.")
    explain("optim", cfg.optim, check_number, "[0, inf)", gradient_clip=cfg.optim.gradient_clip)
    return Player(
        optimizer=optimizer,
        schedule=part(cfg, f"optim.schedule.{player}"),
        momentum=part(cfg, "optim.momentum") if cfg.optim.get("momentum") else None,
        clip=cfg.optim.gradient_clip,
        constraint=part(cfg, f"constraint.{player}") if chosen(cfg, f"constraint.{player}") else None,
    )


def build_terms(cfg: DictConfig) -> dict[str, Any]:
    """The penalties and auxiliary terms by their names; raises UserError for a name that is in both groups."""
    terms: dict[str, Any] = {}
    for group in ("penalty", "auxiliary"):
        for name, term in parts(cfg, group).items():
            if name in terms:
                raise UserError(f"{group}.{name}: penalty.{name} has this name too; rename one of them.")
            terms[name] = term
    return terms


def networks_of(method: Method) -> dict[str, Network]:
    """The networks that a method trains, by the names of its attributes."""
    trained = {network for networks in method.trained_networks.values() for network in networks}
    return {name: network for name, network in method.named_children() if network in trained}


def load_weights(method: Method, saved: dict, source: str) -> None:
    """Loads a checkpoint's weights into the method's networks; raises UserError if they are of other networks."""
    try:
        method.load_state_dict(saved["state_dict"])
    except RuntimeError as error:
        detail = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        changed = {name.partition(".")[0] for name in saved["state_dict"].keys() ^ method.state_dict().keys()}
        if changed and changed <= STATEFUL.keys():  # the networks have the same weights
            groups = " and ".join(STATEFUL[name] for name in sorted(changed))
            raise UserError(f"{source} is of a run with other choices of {groups}; leave them as they were.") from error
        raise UserError(
            f"{source} holds another network than model and data describe ({shorten(detail, 200)}). "
            "Leave model, data.image_size, latent.dim and ema.decay as they were."
        ) from error
    method.iteration = saved["iteration"]


def _not_fused(cfg: DictConfig, player: str) -> dict[str, bool]:
    """Turns off fused optimizers under 16-mixed: they unscale gradients too late for clipping and norms."""
    return {"fused": False} if cfg.trainer.precision == "16-mixed" and cfg.optim[player].get("fused") else {}
