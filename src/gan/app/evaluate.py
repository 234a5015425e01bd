"""Evaluates runs: the implementation of ``evaluate.py``."""

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
from omegaconf import DictConfig, OmegaConf

from gan.app.failures import in_one_line
from gan.app.sample import save_samples
from gan.core.checks import check_integer
from gan.core.errors import UserError, did_you_mean
from gan.core.files import check_writable
from gan.core.hardware import true_float32
from gan.core.quiet import quiet
from gan.evaluation.evaluate import default_count, evaluate
from gan.evaluation.records import Row, read, record, write
from gan.evaluation.reference import ReferenceImages, load_reference
from gan.evaluation.tables import over_runs, table
from gan.metrics.base import Metric
from gan.metrics.features.base import OUTPUTS
from gan.reports.comparison import compare
from gan.reports.groups import group_jobs
from gan.reports.jobs import Job, read_command
from gan.reports.scores import collect
from gan.runs.folder import BEST, find_checkpoint, runs_in
from gan.runs.instantiate import check_texts, chosen, part, parts
from gan.runs.run import Run, open_run
from gan.training.trackers import add_results, named_scores

log = logging.getLogger(__name__)


@in_one_line
def run(cfg: DictConfig) -> None:
    """Evaluates the runs that ``cfg`` names; prints the scores and writes them to each run's folder.

    Raises:
        UserError: any mistake that the user can fix.
    """
    quiet()
    true_float32()
    check_texts(cfg)
    check_integer(seed=cfg.seed)
    check_integer("[2, inf)", or_none=True, num_samples=cfg.num_samples)
    metrics = parts(cfg, "metrics")
    if not metrics:
        raise UserError("metrics=none leaves nothing to measure.")
    if cfg.select not in (None, BEST):
        raise UserError(f"select must be best or null, got {cfg.select}; checkpoint={cfg.select} names a checkpoint.")
    if cfg.select:
        ranking_metric(cfg, metrics)
    folders = runs_in(cfg.run) or [None]
    for folder in folders:  # report what cannot be used before the work
        find_checkpoint(folder, "last" if cfg.select else cfg.checkpoint)
        read(Path(folder) / "metrics.json")
        check_writable(folder)
    known: dict[str, ReferenceImages] = {}  # runs with the same reference images share their features
    jobs: list[Job] = []
    results: dict[str, list[Row]] = {}
    for folder in folders:
        which = select(cfg, folder, metrics, known) if cfg.select else cfg.checkpoint
        opened = open_run(folder, which, cfg.data.root, cfg.device, cfg.trust)
        name = opened.checkpoint.resolve().name  # best.ckpt is a link to another checkpoint
        log.info("%s  %s, iteration %s", opened.folder, name, f"{opened.iteration:,}")
        generators = [cfg.generator] if cfg.generator else opened.sampler.names
        reference = reference_for(cfg, opened, list(metrics.values()), known)
        rows, samples = evaluate(
            opened.sampler, reference, list(metrics.values()), generators, cfg.num_samples, cfg.seed
        )
        few = bool(cfg.num_samples) and cfg.num_samples < default_count(reference)
        jobs.append(job_of(opened, report(opened, rows, cfg.seed, few)))
        results[jobs[-1].name] = rows
        add_results(opened.folder, named_scores(rows), opened.iteration)
        if cfg.save_samples:
            for name, images in samples.items():
                drawn = opened.sampler.latents(len(images), cfg.seed)
                log.info("  → %s", save_samples(opened.folder / f"samples_{name}.npz", images, *drawn))
    report_groups(jobs, results)


def job_of(run: Run, records: list[dict]) -> Job:
    """The run as one of a sweep, with these records of its scores."""
    config = cast(dict, OmegaConf.to_container(run.cfg, resolve=True))
    job = Job(run.folder, str(run.folder), config, scores=records)
    read_command(job)
    return job


def report_groups(jobs: Sequence[Job], results: Mapping[str, Sequence[Row]]) -> None:
    """Prints the mean of each group of runs that differ only in their seed; and a table if there are several groups.

    Args:
        jobs: the runs.
        results: the scores of each of them, by its name.
    """
    groups = group_jobs(jobs)
    for group in groups:
        if len(group.jobs) > 1:
            common = f" with {group.label}" if len(groups) > 1 else ""
            precisions = Counter(job.config["trainer"]["precision"] for job in group.jobs)
            report_mean([results[job.name] for job in group.jobs], common, precisions)
    if len(groups) > 1:
        several = any(len(group.jobs) > 1 for group in groups)
        log.info("%d settings%s", len(groups), "; mean ± standard error over runs" * several)
        for line in compare(groups, collect(jobs)):
            log.info("  %s", line)


def report_mean(results: Sequence[Sequence[Row]], common: str, precisions: Counter[str]) -> None:
    """Prints the mean of runs that differ only in their seed, and a remark if their precisions differ."""
    log.info("mean of %d runs%s", len(results), common)
    for line in table(over_runs(results)):
        log.info("%s", line)
    if len(precisions) > 1:
        chosen = " and ".join(f"{precision} in {count}" for precision, count in precisions.items())
        log.info("  remark: trainer.precision=auto was %s of these runs", chosen)


def report(run: Run, rows: Sequence[Row], seed: int = 0, few: bool = False) -> list[dict]:
    """Prints the scores and writes them to the run's folder.

    Args:
        run: the evaluated run.
        rows: its scores.
        seed: of the latents.
        few: whether there are fewer samples than by default.

    Returns:
        The records of the scores.
    """
    records = [record(row, seed, **run.origin) for row in rows]
    counts = sorted({row.samples for row in rows}, reverse=True)
    log.info(
        "features: %s · compared with the %s images · %s samples",
        " and ".join(dict.fromkeys(row.features for row in rows)),
        rows[0].split,
        " and ".join(f"{count:,}" for count in counts),
    )
    for line in table(rows):
        log.info("%s", line)
    if few and any(row.biased for row in rows):
        log.info("  few samples: distances are biased upwards; compare with the floor only")
    log.info("  → %s", write(run.folder, records))
    return records


# Shared by several runs


def reference_for(
    cfg: DictConfig, run: Run, metrics: Sequence[Metric], known: dict[str, ReferenceImages], split: str = "test"
) -> ReferenceImages:
    """The reference images of a run, with the feature extractor of ``cfg`` or else of the run's configuration."""
    features = cfg.features if chosen(cfg, "features") else run.cfg.get("features")
    if not features:
        if any(metric.needs & OUTPUTS for metric in metrics):
            raise UserError(f"{run.folder} names no feature extractor; give features=mnist, trained, pixels, ….")
        features = {"_target_": "gan.metrics.features.Pixels"}
    description = OmegaConf.create({"data": run.cfg.data, "features": features})
    data = OmegaConf.to_container(description, resolve=True)
    data["data"].pop("seed", None)  # affects only the order of batches
    key = f"{split} {data}"
    if key not in known:
        net = part(description, "features")
        known[key] = load_reference(run.load_data(), net, device_of(run), metrics, split)
    run.data = known[key].data
    return known[key]


def device_of(run: Run) -> torch.device:
    """The device for the metrics of a run: that of its networks, or the CPU if it does not support float64."""
    device = next(run.module.parameters()).device
    return torch.device("cpu") if device.type == "mps" else device


# Choosing a checkpoint


def select(
    cfg: DictConfig, folder: Path | None, metrics: Mapping[str, Metric], known: dict[str, ReferenceImages]
) -> str:
    """Scores each checkpoint of a run on the validation images and links ``best.ckpt`` to the best one.

    The test images are not used. The scores are recorded with ``split`` valid.

    Args:
        cfg: the configuration of an evaluation.
        folder: the run's folder.
        metrics: the metrics of the evaluation; ``cfg.select_by`` names one that can rank generators.
        known: cache of reference images.

    Returns:
        ``best``.
    """
    metric = ranking_metric(cfg, metrics)
    last = find_checkpoint(folder, "last")
    # Not the last one, because a running training would replace the file that the link points to.
    paths = sorted([*last.parent.glob("epoch=*.ckpt"), *last.parent.glob("iteration=*.ckpt")]) or [last]
    if len(paths) == 1:
        log.warning(
            "%s has one checkpoint; callbacks.checkpoint.keep_every_n_epochs=N saves more to choose from", folder
        )
    scored = {path: validate(cfg, folder, path, metric, known) for path in paths}
    best = (min if metric.better == "lower" else max)(scored, key=scored.__getitem__)
    link = last.parent / f"{BEST}.ckpt"
    link.unlink(missing_ok=True)
    link.symlink_to(best.name)  # relative: the folder may move
    return BEST


def ranking_metric(cfg: DictConfig, metrics: Mapping[str, Metric]) -> Metric:
    """The metric that ``cfg.select_by`` names; raises UserError if there is none or it does not rank generators."""
    metric = metrics.get(cfg.select_by)
    if metric is None or metric.better is None:
        able = [name for name, one in metrics.items() if one.better]
        raise UserError(
            f"select_by={cfg.select_by} must be a metric that ranks generators: "
            f"{', '.join(able) or 'none of those chosen'}.{did_you_mean(cfg.select_by, able)}"
        )
    return metric


def validate(
    cfg: DictConfig, folder: Path | None, path: Path, metric: Metric, known: dict[str, ReferenceImages]
) -> float:
    """A checkpoint's main score on the validation images; the worst possible value if it is not finite."""
    opened = open_run(folder, path.stem, cfg.data.root, cfg.device, cfg.trust)
    reference = reference_for(cfg, opened, [metric], known, split="valid")
    generator = opened.sampler.choose(cfg.generator)
    rows, _ = evaluate(opened.sampler, reference, [metric], [generator], cfg.num_samples, cfg.seed)
    write(opened.folder, [record(row, cfg.seed, **opened.origin) for row in rows])
    value = rows[0].measure.value
    log.info("  %s  %s %.4g (%s, validation images)", path.name, rows[0].measure.name, value, generator)
    return value if math.isfinite(value) else math.inf if metric.better == "lower" else -math.inf
