"""What a run's samples score: every metric for every generator asked for, beside the metric's floor."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan import build
from gan.config import EVALUATION, check
from gan.data.base import Source, Split
from gan.errors import UserError, did_you_mean
from gan.features.base import FeatureNet
from gan.metrics.base import Case, Images, Metric
from gan.quiet import quiet
from gan.records import FLOOR, Protocol, Row, record, write
from gan.runs import Run, find_checkpoint, open_run, runs_in
from gan.sampling import save_samples
from gan.seeding import derive
from gan.tables import Setting, over_runs, setting, table, told

log = logging.getLogger(__name__)

BEST = "best"  # the checkpoint that a selection has pointed out


def run(cfg: DictConfig) -> None:
    """Evaluates as ``cfg`` says; prints the numbers and writes them into each run's folder.

    Raises:
        UserError: anything that the user can mend.
    """
    quiet()
    check(cfg, EVALUATION)
    metrics = {name: build.part(cfg, f"metrics.{name}") for name in cfg.get("metrics") or {}}
    if not metrics:
        raise UserError("metrics=none leaves nothing to measure.")
    grounds: dict[str, Grounds] = {}  # real images are looked at once for all runs that share them
    alike: dict[Setting, list[list[Row]]] = {}  # runs that differ in nothing but their seed
    for folder in runs_in(cfg.run) or [None]:
        which = cfg.checkpoint
        if which == BEST:
            which = select(cfg, folder, metrics, grounds)
        opened = open_run(folder, which, cfg.data.root, cfg.device)
        log.info("%s  %s, minibatch %s", opened.folder, opened.checkpoint.name, f"{opened.module.minibatch:,}")
        generators = [cfg.generator] if cfg.generator else list(opened.module.generators())
        ground = ground_of(cfg, opened, grounds)
        rows, samples = evaluate(opened, ground, list(metrics.values()), generators, cfg.num_samples, cfg.seed)
        report(opened, rows, Protocol(ground.net.name, "test", cfg.seed))
        if cfg.save_samples:
            for name, images in samples.items():
                z = opened.noise(len(images), cfg.seed)
                log.info("  → %s", save_samples(opened.folder / f"samples_{name}.npz", images, z))
        alike.setdefault(setting(opened.cfg), []).append(rows)
    for settings, results in alike.items():
        if len(results) > 1:
            log.info("mean of %d runs%s", len(results), f" with {told(settings, alike)}" if len(alike) > 1 else "")
            for line in table(over_runs(results)):
                log.info("%s", line)


# What samples are compared with


@dataclass
class Grounds:
    """Real images as a feature net sees them; what is computed of them is kept for the next run.

    Attributes:
        data: read, with a fixed set of examples.
        net: prepared.
        device: where metrics compute.
        split: the images that stand for the data's distribution, ``test`` or ``valid``.
    """

    data: Source
    net: FeatureNet
    device: torch.device
    split: str = "test"
    _images: dict[str, Images] = field(default_factory=dict)
    _floors: dict[tuple, list[Row]] = field(default_factory=dict)

    def see(self, images: Tensor) -> Images:
        """The images as the net sees them."""
        return Images(images.to(self.device), self.net)

    def images(self, split: str) -> Images:
        """All images of a split."""
        if split not in self._images:
            self._images[split] = self.see(self.data.splits[split].images)
        return self._images[split]

    @cached_property
    def folds(self) -> list[dict[str, Images]]:
        """What :class:`Case` has under that name."""
        if self.split != "test":  # then no test image is looked at
            return [{name: self.images(self.split) for name in ("valid", "test")}]
        if len(self.data.folds()) == 1:
            return [{name: self.images(name) for name in ("valid", "test")}]
        return [{name: self.see(split.images) for name, split in fold.items()} for fold in self.data.folds()]

    def measure(self, metric: Metric, name: str, samples: Images) -> list[Row]:
        """A metric's numbers for the samples of the generator called ``name``."""
        case = Case(samples, *(self.images(split) for split in ("train", "valid", self.split)), self.folds)
        return [Row(name, measure, len(samples)) for measure in metric(case)]

    def floor(self, metric: Metric, count: int, seed: int) -> list[Row]:
        """A metric's numbers for ``count`` different real images, or all where there are fewer."""
        key = (metric, count, seed)
        if key not in self._floors:
            images = some_of(self.data.splits[metric.floor], count, seed)
            self._floors[key] = self.measure(metric, FLOOR, self.see(images))
        return self._floors[key]


def ground_of(cfg: DictConfig, run: Run, known: dict[str, Grounds], split: str = "test") -> Grounds:
    """The real images for a run, seen by the feature net that ``cfg`` or else the run's configuration names."""
    features = cfg.features if build.chosen(cfg, "features") else run.cfg.get("features")
    if not features:
        raise UserError(
            f"{run.folder} names no feature net; give features=mnist, digits, trained, pixels or inception."
        )
    description = OmegaConf.create({"data": run.cfg.data, "features": features})
    data = OmegaConf.to_container(description, resolve=True)
    data["data"].pop("seed", None)  # of the order of the minibatches
    key = f"{split} {data}"
    if key not in known:
        known[key] = grounds(run.load_data(), build.part(description, "features"), device_of(run), split)
    run.data = known[key].data
    return known[key]


def grounds(data: Source, net: FeatureNet, device: torch.device, split: str = "test") -> Grounds:
    """The data's real images, seen by a net that is fitted to them.

    Raises:
        UserError: the data has nothing to compare with, or the net cannot serve it.
    """
    check_images(data)
    net.prepare(data)
    return Grounds(data, net.to(device).eval().requires_grad_(False), device, split)


def check_images(data: Source) -> None:
    """Raises UserError unless the data has a fixed set of images to measure with."""
    if not data.splits:
        raise UserError(f"{data.describe()}: metrics need a set of images to compare with.")
    if any(len(split) < 2 for fold in data.folds() for split in fold.values()):
        raise UserError("metrics need validation and test images; set some aside (data.validation_size, …_share).")


def device_of(run: Run) -> torch.device:
    """Where the metrics of a run compute: where its networks are, but for devices without float64."""
    device = next(run.module.parameters()).device
    return torch.device("cpu") if device.type == "mps" else device


def some_of(split: Split, count: int, seed: int) -> Tensor:
    """``count`` different images, or all where there are fewer, (N, C, H, W)."""
    generator = torch.Generator().manual_seed(derive(seed, "floor"))
    return split.images[torch.randperm(len(split), generator=generator)[:count]]


# Judging


def evaluate(
    run: Run,
    ground: Grounds,
    metrics: Sequence[Metric],
    generators: Sequence[str],
    num_samples: int | None = None,
    seed: int = 0,
) -> tuple[list[Row], dict[str, Tensor]]:
    """Draws samples and measures them, and the floor of each metric.

    Args:
        run: whose generators draw.
        ground: what the samples are compared with.
        metrics: what to measure; those that the feature net cannot serve are left out with a line.
        generators: ``raw``, ``ema`` or both.
        num_samples: how many samples of each; None for what the data's literature takes, but no more than there
            are training images, so that samples and floor are equally many.
        seed: of the noise and of the floor's choice of images.

    Returns:
        The numbers, and the very samples that were scored, (N, C, H, W) in [0, 1], for each generator.
    """
    count = num_samples or min(run.data.samples_to_score, len(run.data.splits["train"]))
    z = run.noise(count, seed)
    samples = {name: run.draw(name, z) for name in generators}
    seen = {name: ground.see(images) for name, images in samples.items()}
    rows = []
    for metric in serviceable(metrics, ground):
        for name, images in seen.items():
            rows += ground.measure(metric, name, images)
        rows += ground.floor(metric, count, seed)
    return rows, samples


def serviceable(metrics: Sequence[Metric], ground: Grounds) -> list[Metric]:
    """The metrics that the feature net has everything for; raises UserError where there is none."""
    view = ground.see(ground.images(ground.split).stored[:2]).view
    given = {name for name, value in vars(view).items() if value is not None}
    served = [metric for metric in metrics if metric.needs <= given]
    if left := [type(metric).__name__ for metric in metrics if not metric.needs <= given]:
        line = f"left out, since features={ground.net.name} know no classes: {', '.join(left)}"
        if not served:
            raise UserError(f"{line}.")
        log.info("%s", line)
    return served


def report(run: Run, rows: Sequence[Row], protocol: Protocol) -> None:
    """Prints the numbers and writes them into the run's folder."""
    counts = sorted({row.samples for row in rows}, reverse=True)
    log.info(
        "features: %s · compared with the %s images · %s samples",
        protocol.features,
        protocol.split,
        " and ".join(f"{count:,}" for count in counts),
    )
    for line in table(rows):
        log.info("%s", line)
    log.info("  → %s", write(run.folder, [record(run, row, protocol) for row in rows]))


# Choosing a checkpoint


def select(cfg: DictConfig, folder: Path | None, metrics: Mapping[str, Metric], known: dict[str, Grounds]) -> str:
    """Scores each checkpoint of a run on the validation images and makes ``best.ckpt`` a name of the best one.

    The test images are never looked at. The numbers are written down with ``split`` valid.

    Args:
        cfg: the configuration of an evaluation.
        folder: the run's.
        metrics: those of the evaluation, of which ``cfg.select_by`` names one that knows better from worse.
        known: the real images seen so far.

    Returns:
        ``best``.
    """
    metric = metrics.get(cfg.select_by)
    if metric is None or metric.better is None:
        able = [name for name, one in metrics.items() if one.better]
        raise UserError(
            f"select_by={cfg.select_by} must be one of metrics that knows better from worse: "
            f"{', '.join(able) or 'none of those chosen'}.{did_you_mean(cfg.select_by, able)}"
        )
    last = find_checkpoint(folder, "last")
    paths = [path for path in sorted(last.parent.glob("*.ckpt")) if path.stem != BEST]
    if len(paths) == 1:
        log.warning(
            "%s has one checkpoint; callbacks.checkpoint.keep_every_n_epochs=N keeps more to choose from", folder
        )
    scored: dict[Path, float] = {}
    for path in paths:
        opened = open_run(folder, path.stem, cfg.data.root, cfg.device)
        ground = ground_of(cfg, opened, known, split="valid")
        generator = opened.preferred(cfg.generator)
        rows, _ = evaluate(opened, ground, [metric], [generator], cfg.num_samples, cfg.seed)
        write(opened.folder, [record(opened, row, Protocol(ground.net.name, "valid", cfg.seed)) for row in rows])
        scored[path] = rows[0].measure.value
        log.info("  %s  %s %.4g (%s, validation images)", path.name, rows[0].measure.name, scored[path], generator)
    best = (min if metric.better == "lower" else max)(scored, key=scored.__getitem__)
    link = last.parent / f"{BEST}.ckpt"
    link.unlink(missing_ok=True)
    link.symlink_to(best.name)  # relative: the folder may move
    return BEST
