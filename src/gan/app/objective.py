"""The objective: the numbers that a run returns to a sweep, each with the direction in which it is better."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from gan.app.search_path import CONF
from gan.core.errors import UserError, did_you_mean
from gan.evaluation.evaluate import supported_metrics
from gan.evaluation.records import record, write
from gan.evaluation.reference import ReferenceImages, load_reference
from gan.methods.sampler import NotFiniteError
from gan.metrics.base import Metric
from gan.runs import outcome
from gan.runs.build import Experiment
from gan.runs.instantiate import chosen, part
from gan.runs.launch import is_sweeping
from gan.runs.run import Run

log = logging.getLogger(__name__)

AUTO = "auto"
LOWER, HIGHER = "lower", "higher"
SEED = 0  # of the latents, as in evaluate.py


@dataclass(frozen=True)
class Goal:
    """One number of the objective.

    Attributes:
        name: of a metric, or of a scalar that the run logs.
        metric: computed from samples of the trained generator; None for a scalar.
        better: ``lower`` or ``higher``; None for a scalar whose direction is known only after the training.
    """

    name: str
    metric: Metric | None = None
    better: str | None = None


@dataclass(frozen=True)
class Result:
    """The value of a goal at the end of a run.

    Attributes:
        name: of the scalar, or ``valid/SCORE/GENERATOR`` of a metric.
        value: the worst possible value for a number that is not finite.
        better: ``lower`` or ``higher``.
    """

    name: str
    value: float
    better: str


class Objective:
    """The goals of a run. Scalars have their last value; metrics are computed once, after the training.

    A metric compares the EMA of the generator, or without an EMA the generator, with the validation images, as
    ``evaluate.py`` does with the test images. ``auto`` is the metric that ranks generators on the run's data, and only
    in a sweep; it is left out with a warning where it cannot be computed.

    Args:
        cfg: the configuration; ``objective`` is a name, a list of names, ``auto`` or null.
        experiment: with loaded data.
        scalars: the names of the scalars that the method and the monitor log. A user's callback may log others.

    Raises:
        UserError: a name that is neither a metric nor a scalar, or a metric that does not rank generators.
    """

    def __init__(self, cfg: DictConfig, experiment: Experiment, scalars: Sequence[str]) -> None:
        names = list(cfg.objective) if OmegaConf.is_list(cfg.objective) else [cfg.objective]
        automatic = names == [AUTO]
        if automatic:
            names = [experiment.data.ranked_by if is_sweeping() else None]
        named = [name for name in names if name is not None]
        self.reference: ReferenceImages | None = None
        try:
            self.goals = [
                goal(cfg, name, direction, scalars)
                for name, direction in zip(named, search_directions(named), strict=True)
            ]
            metrics = [goal.metric for goal in self.goals if goal.metric is not None]
            if metrics and experiment.trainer.is_global_zero:
                device = experiment.trainer.strategy.root_device
                extractor = part(cfg, "features")
                self.reference = load_reference(experiment.data, extractor, device, metrics, "valid")
                supported_metrics(metrics, self.reference, experiment.module.offers)
        except UserError as error:
            if not automatic:
                raise
            log.warning("objective=auto: this run has none: %s", error)
            self.goals = []

    def report(self, run: Run, trainer: pl.Trainer) -> float | tuple[float, ...] | None:
        """Computes the objective of a finished run and records it in its folder; returns it as a sweeper expects it."""
        if not trainer.is_global_zero:
            return None
        results = self.results(run, trainer)
        values = [result.value for result in results]
        names, better = [result.name for result in results], [result.better for result in results]
        stored = values if len(values) > 1 else values[0] if values else None
        outcome.write(run.folder, stored, names=names, better=better)
        return tuple(stored) if isinstance(stored, list) else stored

    def results(self, run: Run, trainer: pl.Trainer) -> list[Result]:
        """The values at the end of the training; those of metrics are logged and added to ``metrics.json``.

        Raises:
            UserError: a scalar was not logged, or a metric cannot be computed.
        """
        return [scalar_result(goal, trainer) if goal.metric is None else self.measure(goal, run) for goal in self.goals]

    def measure(self, goal: Goal, run: Run) -> Result:
        """The metric of a goal for the trained generator."""
        assert self.reference is not None
        assert goal.metric is not None
        assert goal.better is not None
        data, name = self.reference.data, run.sampler.choose(None)
        z, labels = run.sampler.latents(min(data.samples_to_score, len(data.splits["train"])), SEED)
        try:
            images = run.sampler.sample(name, z, labels)
        except NotFiniteError:
            log.warning("objective=%s: the samples are not finite, which counts as the worst value", goal.name)
            return Result(f"valid/{goal.name}/{name}", worst(goal.better), goal.better)
        rows = self.reference.measure(goal.metric, name, self.reference.see(images, labels), run.sampler)
        write(run.folder, [record(row, SEED, **run.origin) for row in rows])
        found = Result(f"valid/{rows[0].measure.name}/{name}", rows[0].measure.value, goal.better)
        log.info("objective: %s %.4g (%s is better; %s samples)", found.name, found.value, found.better, f"{len(z):,}")
        return finite(found)


# Before the training


def goal(cfg: DictConfig, name: str, better: str | None, scalars: Sequence[str]) -> Goal:
    """The goal of that name; raises UserError if there is no such metric or scalar.

    Args:
        cfg: the configuration.
        name: a name in ``cfg.objective``.
        better: the direction of the search, or None.
        scalars: the names of the scalars that the run logs.
    """
    if (metric := find_metric(cfg, name)) is None:
        check_scalar(cfg, name, scalars)
        return Goal(name, None, better)
    if better and metric.better and better != metric.better:
        raise UserError(f"hydra.sweeper.direction: with objective={name} a {metric.better} value is better.")
    if not (better or metric.better):
        raise UserError(
            f"objective={name} does not rank generators; take one of its scores, which give no direction: "
            f"metrics={name} objective=valid/SCORE/GENERATOR."
        )
    return Goal(name, metric, better or metric.better)


def find_metric(cfg: DictConfig, name: str) -> Metric | None:
    """The metric of that name in ``metrics=…``, else in ``conf/metrics/``; None if there is none."""
    if name in (cfg.get("metrics") or {}):
        return part(cfg, f"metrics.{name}")
    file = CONF / "metrics" / f"{name}.yaml"
    found = OmegaConf.load(file) if file.is_file() else {}
    return part(found, name) if name in found else None


def check_scalar(cfg: DictConfig, name: str, scalars: Sequence[str]) -> None:
    """Raises UserError for a scalar that the run will not log."""
    callbacks = cfg.get("callbacks") or {}
    targets = [str(node["_target_"]) for node in callbacks.values() if node and "_target_" in node]
    own = any(not target.startswith("gan.") for target in targets)
    scored = name.startswith("valid/") and cfg.get("metrics") and chosen(cfg, "callbacks.scores")
    if name not in scalars and not own and not scored:
        metrics = sorted(path.stem for path in (CONF / "metrics").glob("*.yaml"))
        raise UserError(
            f"objective={name} is no scalar of a run and no metric.{did_you_mean(name, [*scalars, *metrics])} "
            f"Choose a metric such as frechet, one of {', '.join(scalars)}, valid/SCORE/GENERATOR with metrics=…, or "
            "null."
        )


def search_directions(names: Sequence[str]) -> list[str | None]:
    """For each name the direction of the search, ``hydra.sweeper.direction``; None for a sweep that does not search.

    Raises UserError if the search has another number of directions.
    """
    given = (HydraConfig.get().sweeper or {}).get("direction") if is_sweeping() else None
    if given is None:
        return [None] * len(names)
    directions = list(given) if OmegaConf.is_list(given) else [given]
    if len(directions) != len(names):
        raise UserError(
            f"hydra.sweeper.direction has {len(directions)} of minimize and maximize, and objective has {len(names)} "
            "names; give as many."
        )
    return [HIGHER if "max" in str(direction).lower() else LOWER for direction in directions]


# After the training


def scalar_result(goal: Goal, trainer: pl.Trainer) -> Result:
    """The last value of a scalar. If neither the search nor a callback gives a direction, lower is better.

    Raises UserError if the scalar was not logged.
    """
    logged = trainer.callback_metrics
    if goal.name not in logged:
        raise UserError(f"objective={goal.name} was not reported.{did_you_mean(goal.name, list(logged))}")
    known = (getattr(callback, "better", {}).get(goal.name) for callback in trainer.callbacks)
    better = goal.better or next(filter(None, known), LOWER)
    return finite(Result(goal.name, float(logged[goal.name]), better))


def finite(result: Result) -> Result:
    """The result, with the worst possible value in place of NaN and infinite ones."""
    return result if math.isfinite(result.value) else replace(result, value=worst(result.better))


def worst(better: str) -> float:
    """The value that loses against every other."""
    return -math.inf if better == HIGHER else math.inf
