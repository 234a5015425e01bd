"""A search from its configuration to its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from gan.core.errors import UserError
from gan.search.loop import Launch, Search
from gan.search.space import read_space
from gan.search.study import Direction, build, is_score, one_search, open_study
from gan.search.summary import conclude
from hydra_plugins.gan_sweeps.launchers import cores, gpus

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


def sweep(
    config: DictConfig, settings: Mapping[str, Any], launch: Launch, loader: ConfigLoader, arguments: Sequence[str]
) -> None:
    """Runs a search, or what is missing of it, and reports the best setting.

    Args:
        config: the sweep's configuration.
        settings: its part ``hydra.sweeper``.
        launch: runs one job for each list of overrides, with numbers from the second argument on.
        loader: lists the choices of a group, for ``glob``.
        arguments: the overrides of the command line.

    Raises:
        UserError: a setting that is wrong, or no trial that was completed.
    """
    parameters = [f"{key}={value}" for key, value in settings["params"].items()]
    space = read_space(OverridesParser.create(config_loader=loader).parse_overrides([*parameters, *arguments]))
    directions = read_directions(settings["direction"])
    seeds = None if settings["seeds"] is None else list(settings["seeds"])
    pruner = build("pruner", settings["pruner"])
    check_pruner(pruner, config.objective, len(directions))
    first = space.defaults(config) if settings["default_first"] else {}
    folder = Path(config.hydra.sweep.dir)
    experiment = [*space.lines(), f"seeds={seeds}", f"direction={directions}", *([f"first={first}"] if first else [])]
    with one_search(folder):
        study = open_study(folder, directions, experiment)
        study.pruner = pruner
        Search(
            study=study,
            space=space,
            sampler=settings["sampler"],
            num_trials=settings["n_trials"],
            num_jobs=count_jobs(config, settings["n_jobs"]),
            seeds=seeds,
            launch=launch,
            first=first,
        ).run(folder)
        conclude(study, space, seeds, folder)


def read_directions(direction: str | Sequence[str]) -> list[Direction]:
    """One direction for each objective; raises UserError for any other word."""
    directions: list = [direction] if isinstance(direction, str) else list(direction)
    if not directions or not set(directions) <= set(get_args(Direction)):
        raise UserError(f"hydra.sweeper.direction={direction}: write minimize or maximize, or a list of them.")
    return directions


def check_pruner(pruner: BasePruner, objective: object, num_objectives: int) -> None:
    """Raises UserError for a pruner that would have nothing to compare, or losses.

    The loss of a player is relative to the other player, so that it does not rank settings.
    """
    from optuna.pruners import NopPruner

    if isinstance(pruner, NopPruner):
        return
    if num_objectives > 1:
        raise UserError("hydra.sweeper.pruner: Optuna does not prune a search for several objectives; leave it out.")
    if not is_score(objective):
        raise UserError(
            f"hydra.sweeper.pruner: objective={objective} is no score on validation images, by which alone a run is "
            "pruned; take objective=valid/METRIC/GENERATOR with metrics=METRIC, as valid/frechet_distance/ema."
        )


def count_jobs(config: DictConfig, given: int | None) -> int:
    """The number of jobs at a time: as given, as the launcher has, or one; raises UserError below 1."""
    if given is None:
        wanted = config.hydra.launcher.get("n_jobs") or 1
        given = wanted if wanted > 0 else gpus() or cores()
    if given < 1:
        raise UserError(f"hydra.sweeper.n_jobs={given} must be at least 1.")
    return given
