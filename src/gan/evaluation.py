"""Numbers of a run: every metric for every generator asked for, beside the metric's floor."""

import json
import logging
import math
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan import build
from gan.config import EVALUATION, check, flatten
from gan.data.base import Split, scale
from gan.errors import UserError
from gan.metrics.base import Measure, Metric
from gan.quiet import quiet
from gan.runs import Run, open_run, runs_in
from gan.sampling import save_samples
from gan.seeding import derive

log = logging.getLogger(__name__)

Setting = tuple[tuple[str, str], ...]

FLOOR = "floor"  # training images in place of samples
#: what two records must share for the newer one to take the older one's place
IDENTITY = ("metric", "generator", "checkpoint", "minibatch", "seed", "protocol")


@dataclass(frozen=True)
class Row:
    """A metric's value for one generator of one run, or for the training images."""

    metric: Metric
    generator: str
    measure: Measure


def run(cfg: DictConfig) -> None:
    """Evaluates as ``cfg`` says; prints the numbers and writes them into each run's folder.

    Raises:
        UserError: anything that the user can mend.
    """
    quiet()
    check(cfg, EVALUATION)
    metrics = [build.part(cfg, f"metrics.{name}") for name in cfg.get("metrics") or {}]
    if not metrics:
        raise UserError("metrics=none leaves nothing to measure.")
    alike: dict[Setting, list[list[Row]]] = {}  # runs that differ in nothing but their seed
    for folder in runs_in(cfg.run) or [None]:
        opened = open_run(folder, cfg.checkpoint, cfg.data.root, cfg.device)
        log.info("%s  %s, minibatch %s", opened.folder, opened.checkpoint.name, f"{opened.module.minibatch:,}")
        generators = [cfg.generator] if cfg.generator else list(opened.module.generators())
        rows, samples = evaluate(opened, metrics, generators, cfg.num_samples, cfg.seed)
        report(opened, rows, cfg.seed)
        if cfg.save_samples:
            z = opened.noise(cfg.num_samples, cfg.seed)
            for name, images in samples.items():
                log.info("  → %s", save_samples(opened.folder / f"samples_{name}.npz", images, z))
        alike.setdefault(setting(opened.cfg), []).append(rows)
    for settings, results in alike.items():
        if len(results) > 1:
            log.info("mean of %d runs%s", len(results), f" with {told(settings, alike)}" if len(alike) > 1 else "")
            for line in table(over_runs(results)):
                log.info("%s", line)


def check_images(run: Run) -> None:
    """Raises UserError unless the run's data has images to measure with."""
    if any(len(split) < 2 for fold in run.load_images().folds() for split in fold.values()):
        raise UserError("metrics need validation and test images; set some aside (data.validation_size, …_share).")


def report(run: Run, rows: Sequence[Row], seed: int = 0) -> None:
    """Prints the numbers and writes them into the run's folder."""
    for line in table(rows):
        log.info("%s", line)
    log.info("  → %s", write(run.folder, [record(run, row, seed) for row in rows]))


def evaluate(
    run: Run, metrics: Sequence[Metric], generators: Sequence[str], num_samples: int = 10_000, seed: int = 0
) -> tuple[list[Row], dict[str, Tensor]]:
    """Draws samples and measures them.

    Args:
        run: with its data.
        metrics: what to measure.
        generators: ``raw``, ``ema`` or both.
        num_samples: how many samples of each; the floor takes as many training images, or all there are.
        seed: of the noise and of the choice of training images.

    Returns:
        The numbers, and the very samples that were scored, (N, C, H, W) in [0, 1], for each generator.
    """
    check_images(run)
    data = run.data
    device = next(run.module.parameters()).device
    if device.type == "mps":  # has no float64
        device = torch.device("cpu")
    folds = [{name: scale(split.images).to(device) for name, split in fold.items()} for fold in data.folds()]
    z = run.noise(num_samples, seed)
    samples = {name: run.draw(name, z) for name in generators}
    compared = {**samples, FLOOR: training_images(data.splits["train"], num_samples, seed)}
    rows = [
        Row(metric, name, metric(images.to(device), folds)) for metric in metrics for name, images in compared.items()
    ]
    return rows, samples


def training_images(split: Split, count: int, seed: int) -> Tensor:
    """``count`` different training images, or all where there are fewer, (N, C, H, W) in [0, 1]."""
    generator = torch.Generator().manual_seed(derive(seed, "floor"))
    chosen = torch.randperm(len(split), generator=generator)[:count]
    return scale(split.images[chosen])


def record(run: Run, row: Row, seed: int) -> dict:
    """A row as it stands in ``metrics.json``."""
    return {
        "metric": row.metric.name,
        "unit": row.metric.unit,
        "generator": row.generator,
        "value": row.measure.value,
        "standard_error": row.measure.standard_error,
        "checkpoint": _named(run),
        "minibatch": run.module.minibatch,
        "seed": seed,
        "protocol": row.measure.details,
    }


def _named(run: Run) -> str:
    """The checkpoint's file name, or its path where it lies outside of the run."""
    if run.checkpoint is None:
        return "last.ckpt"  # of a training that has just ended
    inside = run.checkpoint.resolve().is_relative_to(run.folder.resolve())
    return run.checkpoint.name if inside else str(run.checkpoint)


def write(folder: Path, records: Sequence[dict]) -> Path:
    """Adds the records to the run's ``metrics.json``; only a number of the very same protocol is replaced."""
    path = folder / "metrics.json"
    kept = [old for old in read(path) if all(_identity(old) != _identity(new) for new in records)]
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    unfinished.write_text(json.dumps([*kept, *records], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(path)
    return path


def read(path: Path) -> list[dict]:
    """The records in a ``metrics.json``, none where there is no such file."""
    if not path.is_file():
        return []
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
            raise ValueError("not a list of records")
    except ValueError as error:
        raise UserError(
            f"{path} is not a list of records ({error}); move it away to have a new one written."
        ) from error
    return records


def _identity(record: dict) -> list:
    # What was found, unlike what was laid down, may differ between two runs of one protocol.
    protocol = {k: v for k, v in record.get("protocol", {}).items() if not k.startswith("sigma") or k == "sigma_grid"}
    return [protocol if key == "protocol" else record.get(key) for key in IDENTITY]


# What the terminal shows


def table(rows: Sequence[Row]) -> list[str]:
    """Lines with one number each."""
    return [
        f"  {row.metric.name}  {row.generator:<5}  {spread(row.measure)} {row.metric.unit}"
        + _remarks(row.measure.details)
        for row in rows
    ]


def spread(measure: Measure) -> str:
    """``225.3 ± 2.1``."""
    error = "" if measure.standard_error is None else f" ± {measure.standard_error:.1f}"
    return f"{measure.value:8.1f}{error}"


def over_runs(results: Sequence[Sequence[Row]]) -> list[Row]:
    """The mean over runs of each number, its standard error being over runs."""
    means = []
    for same in zip(*results, strict=True):
        values = [row.measure.value for row in same]
        if len(set(values)) == 1:  # a floor of the same images, which no training has moved
            means.append(same[0])
            continue
        error = statistics.stdev(values) / math.sqrt(len(values))
        measure = Measure(statistics.mean(values), error, {"standard_error_over": f"{len(values)} runs"})
        means.append(Row(same[0].metric, same[0].generator, measure))
    return means


def setting(cfg: DictConfig) -> Setting:
    """What a run was trained with but for its seed and its place."""
    place = str(cfg.output_dir)
    flat = flatten(OmegaConf.to_container(cfg, resolve=True))
    return tuple(
        (key, str(value))
        for key, value in sorted(flat.items())
        if key.split(".")[-1] not in ("seed", "output_dir", "ckpt_path") and place not in str(value)
    )


def told(one: Setting, all_of_them: Iterable[Setting]) -> str:
    """The entries of one setting that not all settings share."""
    shared = set.intersection(*(set(other) for other in all_of_them))
    return " ".join(f"{key}={value}" for key, value in one if (key, value) not in shared)


def _remarks(details: dict) -> str:
    remarks = [f"over {details['standard_error_over']}"] if "standard_error_over" in details else []
    if "sigma" in details:
        remarks.append("σ " + " ".join(f"{s:.3f}" for s in details["sigma"]))
    if details.get("sigma_on_grid_edge"):
        remarks.append("the best σ is at the edge of the grid: widen it with metrics.parzen.low, .high")
    return f"   ({', '.join(remarks)})" if remarks else ""
