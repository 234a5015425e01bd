"""One training run, from a composed configuration to the run's folder."""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from gan.app.ending import check_time, report_early_stop
from gan.app.evaluate import report
from gan.app.failures import in_one_line
from gan.app.hyperparameters import chosen, hyperparameters
from gan.app.job_processes import processes_of_job
from gan.app.jobs import listed, resumes_itself
from gan.app.objective import Objective
from gan.app.prepare import prepare
from gan.app.several_processes import check_size
from gan.core.errors import UserError, one_line
from gan.core.hardware import true_float32
from gan.core.process_state import restored_process_state
from gan.core.quiet import quiet
from gan.evaluation.evaluate import evaluate, supported_metrics
from gan.evaluation.records import Row
from gan.evaluation.reference import ReferenceImages, load_reference
from gan.figures.base import Figure
from gan.methods.tricks import configure_process
from gan.metrics.base import Metric
from gan.runs import checkpoint
from gan.runs.build import Experiment, build, load_weights, networks_of
from gan.runs.identity import OPTIMIZERS, changes
from gan.runs.instantiate import part, parts
from gan.runs.precision import describe_precision, record_settings, warn_if_slow
from gan.runs.run import Run
from gan.search.study import is_score, trial_of_job
from gan.training import SampleGrids, trackers
from gan.training.monitor import Monitor, scalars_of
from gan.training.pruning import Pruning

log = logging.getLogger(__name__)

WIDTH = 140  # characters of the first log line


@dataclass
class Plan:
    """The metrics and figures after a training; built and checked before it, so that mistakes are reported early."""

    run: Run
    metrics: list[Metric]
    figures: list[Figure]
    reference: ReferenceImages | None = None
    objective: Objective | None = None


@in_one_line
def run(cfg: DictConfig) -> float | tuple[float, ...] | None:
    """Trains with the configuration ``cfg``, in the folder ``cfg.output_dir``.

    Returns:
        The value of ``cfg.objective`` for a sweeper, a tuple for several objectives, None without one. A number that
        is not finite becomes the worst possible one.

    Raises:
        UserError: any mistake that the user can fix.
        Stopped: Ctrl-C, SIGTERM or ``trainer.max_time``; the checkpoint has been written.
    """
    quiet()
    true_float32()
    with restored_process_state():
        configure_process()
        return train(cfg)


def train(cfg: DictConfig) -> float | tuple[float, ...] | None:
    """As :func:`run`, in a process that is configured."""
    saved = checkpoint.read(cfg.ckpt_path) if cfg.ckpt_path else None
    experiment = build(cfg, saved)
    pruning = watch_trial(cfg, experiment)
    if pruning is not None and pruning.pruned:
        return None
    finished = Run(Path(cfg.output_dir), cfg, lambda: experiment.module, data=experiment.data)
    metrics, figures = (list(parts(cfg, group).values()) for group in ("metrics", "figures"))
    check_size(experiment.trainer.world_size)
    if saved:
        check_resume(cfg, saved, experiment)
    status = "failed"
    # A thread writes the curves. Its OSError (a full disk) is raised again in the main thread.
    threading.excepthook = lambda a: None if isinstance(a.exc_value, OSError) else threading.__excepthook__(a)
    try:
        plan = check_plan(cfg, saved, experiment, Plan(finished, metrics, figures))
        announce(cfg, experiment)
        trackers.start(experiment.trainer, hyperparameters(cfg))
        started = time.perf_counter()
        with processes_of_job(cfg, experiment.trainer):
            fit(cfg, experiment)
        check_time(cfg, experiment)
        conclude(cfg, experiment, time.perf_counter() - started)
        if pruning is not None and pruning.pruned:
            status = "success"
            return None
        scores = look_back(experiment, plan)
        value = plan.objective.report(finished, experiment.trainer) if plan.objective else None
        report_early_stop(experiment)
        trackers.finish(experiment.trainer, scores | named_objective(value), experiment.module.iteration)
        status = "success"
    except SystemExit as end:
        if end.code != 1:  # a launcher has requeued this job
            raise
        raise KeyboardInterrupt from None  # Lightning's for a Ctrl-C before the first step, or for a second one
    except MisconfigurationException as error:
        raise UserError(f"{one_line(error)}.") from error
    finally:
        trackers.close(experiment.trainer, status)
        threading.excepthook = threading.__excepthook__
    return value


def fit(cfg: DictConfig, experiment: Experiment) -> None:
    """Trains, from the checkpoint if there is one; raises UserError if the state of its training cannot be restored."""
    trainer = experiment.trainer
    try:
        trainer.fit(experiment.module, experiment.data, ckpt_path=cfg.ckpt_path, weights_only=True)
    except UserError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        if not cfg.ckpt_path or trainer.train_dataloader is not None:  # Lightning restores before it opens the data
            raise
        raise UserError(
            f"ckpt_path={cfg.ckpt_path}: its training cannot be resumed ({type(error).__name__}: "
            f"{one_line(error)[:150]}); train.py did not write it. Its weights can be used: sample.py, evaluate.py."
        ) from error


def named_objective(value: float | tuple[float, ...] | None) -> dict[str, float]:
    """The objective by the name under which trackers get it; several values are numbered."""
    if isinstance(value, tuple):
        return {f"hp/objective/{n}": one for n, one in enumerate(value)}
    return {} if value is None else {"hp/objective": value}


def watch_trial(cfg: DictConfig, experiment: Experiment) -> Pruning | None:
    """Adds the callback that reports to the study of a search; None if this run has no score to report."""
    if not is_score(cfg.objective) or (trial := trial_of_job()) is None:
        return None
    pruning = Pruning(trial, cfg.objective, cfg.output_dir)
    experiment.trainer.callbacks.append(pruning)
    return pruning


def check_plan(cfg: DictConfig, saved: dict | None, experiment: Experiment, plan: Plan) -> Plan:
    """Loads the data, checks the training and the plan, and sets the plan's objective and reference images.

    Raises:
        UserError: a check failed, or no batches are left to train on.
    """
    method, trainer = experiment.module, experiment.trainer
    scalars = [*prepare(experiment, cfg), *scalars_of(method.player_names)]
    plan.objective = Objective(cfg, experiment, scalars)
    plan.run.scalars = scalars if any(isinstance(callback, Monitor) for callback in trainer.callbacks) else []
    if plan.metrics:
        extractor, device = part(cfg, "features"), trainer.strategy.root_device
        plan.reference = load_reference(experiment.data, extractor, device, plan.metrics)
        supported_metrics(plan.metrics, plan.reference, method.offers)
    for figure in plan.figures:
        figure.check(plan.run)
    if saved and saved["iteration"] >= method.total_iterations and not resumes_itself(cfg):
        raise UserError(
            f"ckpt_path={cfg.ckpt_path} stands at iteration {saved['iteration']:,} and the run ends at "
            f"{method.total_iterations:,}: nothing is left to do. Give a larger trainer.max_epochs."
        )
    if trainer.is_global_zero:
        record_settings(cfg, plan.run.folder)
    return plan


def announce(cfg: DictConfig, experiment: Experiment) -> None:
    """Logs what is trained on which data, and network sizes, device and folder, in two lines."""
    if not experiment.trainer.is_global_zero:
        return
    module, trainer = experiment.module, experiment.trainer
    sizes = " ".join(
        f"{name} {sum(p.numel() for p in network.parameters()):,}" for name, network in networks_of(module).items()
    )
    device = trainer.strategy.root_device.type
    devices = f"{trainer.world_size} × {device}" if trainer.world_size > 1 else device
    if device == "cpu":  # the order of summation, and with it the last bits, depend on the number of threads
        threads = torch.get_num_threads()
        devices += f" with {threads} thread{'s' * (threads > 1)}"
    line = f" · seed {cfg.seed} · {experiment.data.describe()} · {batches(module.total_iterations)}"
    log.info("%s%s", shorten(chosen(cfg), max(20, WIDTH - len(line)), placeholder=" …"), line)
    log.info("parameters: %s · %s, %s · run folder: %s", sizes, devices, describe_precision(cfg), cfg.output_dir)
    warn_if_slow(cfg)


def batches(count: int) -> str:
    """``1 batch``, ``2,520 batches``."""
    return f"{count:,} batch{'es' * (count != 1)}"


def conclude(cfg: DictConfig, experiment: Experiment, seconds: float) -> None:
    """Logs the duration and the place of the results."""
    if not experiment.trainer.is_global_zero:
        return
    log.info("done: %s in %.0f s", batches(experiment.module.iteration), seconds)
    for callback in experiment.trainer.callbacks:
        if isinstance(callback, SampleGrids):
            for name, path in callback.latest.items():
                log.info("  samples (%s)  %s", name, path)
    for callback in experiment.trainer.checkpoint_callbacks:
        if callback.last_saved is not None:
            log.info("  checkpoint     %s", callback.last_saved)
    for place in filter(None, map(trackers.where, experiment.trainer.loggers)):
        log.info("  curves         %s", place)


def look_back(experiment: Experiment, plan: Plan) -> dict[str, float]:
    """Computes the metrics and draws the figures of the finished run, as ``evaluate.py`` and ``sample.py`` do.

    Returns:
        The scores, by the names under which trackers get them.
    """
    if not experiment.trainer.is_global_zero:
        return {}
    experiment.module.to(experiment.trainer.strategy.root_device)
    finished = plan.run
    rows: list[Row] = []
    if plan.reference is not None:
        rows, _ = evaluate(finished.sampler, plan.reference, plan.metrics, finished.sampler.names)
        report(finished, rows)
    for figure in plan.figures:
        for path in figure(finished, finished.folder / "figures"):
            log.info("  → %s", path)
    return trackers.named_scores(rows)


def check_resume(cfg: DictConfig, saved: dict, experiment: Experiment) -> None:
    """Raises UserError if the checkpoint does not fit the configuration; logs the differences from its run."""
    load_weights(experiment.module, saved, f"ckpt_path={cfg.ckpt_path}")
    changed = changes(saved["hyper_parameters"], cfg)
    if changed and resumes_itself(cfg):
        raise UserError(
            f"{cfg.output_dir} holds a run of another configuration ({listed(changed)}), which is not overwritten; "
            "choose another folder."
        )
    changed.pop("objective", None)  # another default than in older versions, and no part of the training
    for key, (before, now) in changed.items():
        if OPTIMIZERS.match(key):
            raise UserError(
                f"{key}={now} differs from the checkpoint's {before}: the optimizers resume with the state that was "
                "saved. Leave it out, or start a new run."
            )
    if not experiment.trainer.is_global_zero:
        return
    log.info("resuming from iteration %s of %s", f"{saved['iteration']:,}", Path(cfg.ckpt_path))
    if changed:
        line = ", ".join(f"{key} {before} → {now}" for key, (before, now) in changed.items())
        log.info("changed: %s", line)
