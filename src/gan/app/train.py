"""One training run, from a composed configuration to a filled folder."""

import logging
import math
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from gan.app.evaluate import report
from gan.core.errors import UserError, did_you_mean, one_line
from gan.core.quiet import quiet
from gan.evaluation.judging import ReferenceImages, evaluate, load_reference, supported_metrics
from gan.figures.base import Figure
from gan.metrics.base import Metric
from gan.runs import checkpoint
from gan.runs.build import Game, build, chosen, load_weights, part, prepare
from gan.runs.config import flatten
from gan.runs.precision import REASON, describe_precision, record_precision, warn_if_slow
from gan.runs.run import Run
from gan.training import SampleGrids
from gan.training.monitor import SCALARS
from gan.training.process import configure_process, true_float32

log = logging.getLogger(__name__)

SCORE = re.compile(r"valid/\w+/(raw|ema)$")  # what the callback scores writes


def run(cfg: DictConfig) -> float | None:
    """Trains as ``cfg`` says, in ``cfg.output_dir``.

    Returns:
        The last value of ``cfg.objective``, infinite where it is not a number; None without an objective.

    Raises:
        UserError: anything that the user can mend.
        Stopped: Ctrl-C or SIGTERM; the checkpoint is written.
    """
    quiet()
    configure_process()
    true_float32()
    saved = checkpoint.read(cfg.ckpt_path) if cfg.ckpt_path else None
    game = build(cfg, saved)
    check_objective(cfg)
    # Built before the training, so that a mistake in them is told now.
    metrics, figures = ([part(cfg, f"{g}.{name}") for name in cfg.get(g) or {}] for g in ("metrics", "figures"))
    if game.trainer.world_size > 1 and HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UserError("trainer.devices: the jobs of a sweep run in one process each; give trainer.devices=1.")
    if saved:
        check_resume(cfg, saved, game)
    # The curves are written by a thread, whose OSError (a full disk) is raised again where it is awaited.
    threading.excepthook = lambda a: None if isinstance(a.exc_value, OSError) else threading.__excepthook__(a)
    try:
        prepare(game, cfg)
        finished = Run(Path(cfg.output_dir), cfg, game.module, game.data)
        reference = (
            load_reference(game.data, part(cfg, "features"), game.trainer.strategy.root_device, metrics)
            if metrics
            else None
        )
        if reference is not None:
            supported_metrics(metrics, reference)
        for figure in figures:
            figure.check(finished)
        if saved and saved["iteration"] >= game.module.total_iterations:
            raise UserError(
                f"ckpt_path={cfg.ckpt_path} stands at iteration {saved['iteration']:,} and the run ends at "
                f"{game.module.total_iterations:,}: nothing is left to do. Give a larger trainer.max_epochs."
            )
        if game.trainer.is_global_zero:
            record_precision(cfg, finished.folder)
        announce(cfg, game)
        started = time.perf_counter()
        game.trainer.fit(game.module, game.data, ckpt_path=cfg.ckpt_path, weights_only=True)
        conclude(cfg, game, time.perf_counter() - started)
        look_back(finished, game, metrics, reference, figures)
    except SystemExit:  # Lightning's answer to a Ctrl-C that came before the first step, or twice
        raise KeyboardInterrupt from None
    except MisconfigurationException as error:
        raise UserError(f"{one_line(error)}.") from error
    except OSError as error:
        raise UserError(f"{error.filename or cfg.output_dir}: {error.strerror or one_line(error)}.") from error
    finally:
        threading.excepthook = threading.__excepthook__
    return objective(cfg, game.trainer)


def announce(cfg: DictConfig, game: Game) -> None:
    """What is about to happen, in two lines."""
    if not game.trainer.is_global_zero:
        return
    module, trainer = game.module, game.trainer
    sizes = " ".join(
        f"{name} {sum(p.numel() for p in net.parameters()):,}"
        for name, net in (("G", module.generator), ("D", module.discriminator))
    )
    device = trainer.strategy.root_device.type
    devices = f"{trainer.world_size} × {device}" if trainer.world_size > 1 else device
    log.info(
        "%s · weights: %s · %s, %s · %s minibatches",
        game.data.describe(),
        sizes,
        devices,
        describe_precision(cfg),
        f"{module.total_iterations:,}",
    )
    log.info("%s", cfg.output_dir)
    warn_if_slow(cfg)


def conclude(cfg: DictConfig, game: Game, seconds: float) -> None:
    """What happened, and where to look."""
    if not game.trainer.is_global_zero:
        return
    log.info("done: %s minibatches in %.0f s", f"{game.module.iteration:,}", seconds)
    for callback in game.trainer.callbacks:
        if isinstance(callback, SampleGrids):
            for name, path in callback.latest.items():
                log.info("  samples (%s)  %s", name, path)
    for callback in game.trainer.checkpoint_callbacks:
        log.info("  checkpoint     %s", callback.last_saved)
    if game.trainer.loggers:
        log.info("  curves         tensorboard --logdir %s", cfg.output_dir)


def look_back(
    finished: Run, game: Game, metrics: Sequence[Metric], reference: ReferenceImages | None, figures: Sequence[Figure]
) -> None:
    """What ``evaluate.py`` and ``sample.py`` would do with the finished run: its metrics and its figures."""
    if not game.trainer.is_global_zero:
        return
    game.module.to(game.trainer.strategy.root_device)
    if reference is not None:
        rows, _ = evaluate(finished, reference, metrics, list(game.module.generators()))
        report(finished, rows)
    for figure in figures:
        for path in figure(finished, finished.folder / "figures"):
            log.info("  → %s", path)


def check_objective(cfg: DictConfig) -> None:
    """Raises UserError for an objective that nothing will write."""
    if SCORE.match(cfg.objective or "") and cfg.get("metrics") and chosen(cfg, "callbacks.scores"):
        return
    if cfg.objective is not None and cfg.objective not in SCALARS:
        raise UserError(
            f"objective={cfg.objective} is no scalar of a run.{did_you_mean(cfg.objective, SCALARS)} "
            f"Choose one of {', '.join(SCALARS)}, valid/METRIC/GENERATOR with metrics=…, or null."
        )


def objective(cfg: DictConfig, trainer: pl.Trainer) -> float | None:
    """The last value of the objective for the sweeper, which cannot cope with NaN."""
    if cfg.objective is None or cfg.objective not in trainer.callback_metrics:
        if SCORE.match(cfg.objective or ""):
            scored = [name for name in trainer.callback_metrics if SCORE.match(name)]
            raise UserError(f"objective={cfg.objective} was not scored.{did_you_mean(cfg.objective, scored)}")
        return None
    value = float(trainer.callback_metrics[cfg.objective])
    return value if math.isfinite(value) else math.inf


def check_resume(cfg: DictConfig, saved: dict, game: Game) -> None:
    """Raises UserError unless the checkpoint fits the game, and tells what differs from its own run."""
    load_weights(game.module, saved, f"ckpt_path={cfg.ckpt_path}")
    before, now = (flatten(c) for c in (saved["hyper_parameters"], OmegaConf.to_container(cfg, resolve=True)))
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    state = re.compile(r"(optim\.(generator|discriminator)\.|recipe\.lr)")
    frozen = [key for key in changed if state.match(key)]
    if frozen:
        raise UserError(
            f"{frozen[0]}={now.get(frozen[0])} differs from the checkpoint's {before.get(frozen[0])}: the optimizers "
            "go on with the state that was saved. Leave it out, or start a new run."
        )
    where = re.compile(rf"(output_dir|ckpt_path|callbacks\.\w+\.folder|logger\..*|trainer\.{REASON})")
    told = [f"{key} {before.get(key)} → {now.get(key)}" for key in changed if not where.fullmatch(key)]
    if not game.trainer.is_global_zero:
        return
    log.info("going on from iteration %s of %s", f"{saved['iteration']:,}", Path(cfg.ckpt_path))
    if told:
        log.info("not as it was: %s", ", ".join(told))
