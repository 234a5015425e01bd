"""Evaluates generators: metrics of samples against reference images."""

import logging
from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from gan.core.errors import UserError
from gan.evaluation.records import Row
from gan.evaluation.reference import ReferenceImages
from gan.metrics.base import Metric
from gan.metrics.features.base import OUTPUTS

log = logging.getLogger(__name__)


class Sampler(Protocol):
    """The interface of what is evaluated; :class:`gan.methods.sampler.Sampler` implements it.

    Attributes:
        offers: what it provides to metrics in addition to samples, by the names in ``Metric.needs``.
    """

    offers: frozenset[str]

    def latents(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """z (count, dim) and labels int64 (count,), functions of the seed."""

    def sample(self, name: str, z: Tensor, labels: Tensor) -> Tensor:
        """Samples of the generator ``name``, float32 (N, C, H, W) in [0, 1], on the CPU."""


def evaluate(
    sampler: Sampler,
    reference: ReferenceImages,
    metrics: Sequence[Metric],
    generators: Sequence[str],
    num_samples: int | None = None,
    seed: int = 0,
) -> tuple[list[Row], dict[str, Tensor]]:
    """Generates samples and computes each metric of them and of real images (the floor).

    Args:
        sampler: the sampler to evaluate.
        reference: the reference images.
        metrics: metrics that the feature extractor and the sampler do not support are skipped with a log line.
        generators: ``raw``, ``ema`` or both.
        num_samples: per generator; None for the number common in the data's literature, but at most the number of
            training images, so that samples and floor have the same size.
        seed: seed of the latents and of the choice of the floor's images.

    Returns:
        The scores, and the scored samples (N, C, H, W) in [0, 1] by generator.

    Raises:
        UserError: no metric is supported, or the samples are not finite.
    """
    count = num_samples or default_count(reference)
    z, labels = sampler.latents(count, seed)
    classes = [labels.cpu(), reference.labels_of_some("train", count, seed)]
    chosen = supported_metrics(metrics, reference, sampler.offers, count, classes)
    samples = {name: sampler.sample(name, z, labels) for name in generators}
    if strange := [name for name, images in samples.items() if not images.isfinite().all()]:
        raise UserError(f"the samples of the {strange[0]} generator are not finite: there is nothing to measure.")
    seen = {name: reference.see(images, labels) for name, images in samples.items()}
    rows = []
    for metric in chosen:
        for name, images in seen.items():
            rows += reference.measure(metric, name, images, sampler)
        if not metric.needs & sampler.offers - {"labels"}:  # real images have no model
            rows += reference.floor(metric, count, seed)
    return rows, samples


def default_count(reference: ReferenceImages) -> int:
    """The number of samples per generator, unless the user gives one."""
    return min(reference.data.samples_to_score, len(reference.data.splits["train"]))


def supported_metrics(
    metrics: Sequence[Metric],
    reference: ReferenceImages,
    offers: frozenset[str] = frozenset(),
    num_samples: int | None = None,
    classes: Sequence[Tensor] = (),
) -> list[Metric]:
    """The metrics whose needs the feature extractor, the model (``offers``) and the numbers of images meet.

    ``classes`` are the labels of the samples and of the floor's images, int64 (N,), if they are drawn.
    Logs a line for each of the metrics left out.

    Raises:
        UserError: there is none.
    """
    looks = any(metric.needs & OUTPUTS for metric in metrics)
    given = offers | (reference.given() if looks else frozenset())
    splits = reference.data.splits
    counts = {
        "samples": min(num_samples or default_count(reference), len(splits["train"])),  # as many for the floor
        "test": len(splits[reference.split]),
        "class": least_of_a_class(splits[reference.split].labels, classes),
    }
    extractor = getattr(reference.net, "name", type(reference.net).__name__.lower())  # no name unless it is prepared
    reasons: dict[Metric, tuple[str, str]] = {}
    for metric in metrics:
        if missing := metric.needs - given:
            reasons[metric] = (
                f"{' and '.join(sorted(missing))}, which neither features={extractor} nor this method gives",
                "take other metrics, or features=trained for data with classes",
            )
            continue
        for what, least in metric.least_images().items():
            if counts[what] < least:
                kind = {
                    "samples": "samples and training images",
                    "test": f"{reference.split} images",
                    "class": f"samples, training and {reference.split} images of each class",
                }[what]
                reasons[metric] = (
                    f"at least {least:,} {kind}, there are {counts[what]:,}",
                    "take other metrics, or more images",
                )
    lines = [f"{type(metric).__name__} needs {reason}" for metric, (reason, _) in reasons.items()]
    if len(lines) == len(metrics) and lines:
        raise UserError(f"{lines[0]}; {reasons[metrics[0]][1]}.")
    for line in lines:
        log.info("left out: %s", line)
    return [metric for metric in metrics if metric not in reasons]


def least_of_a_class(labels: Tensor, others: Sequence[Tensor]) -> int:
    """The smallest number of images of one class: of each class in ``labels`` (N,), there and in each of the others.

    0 if an image has no label.
    """
    if not len(labels) or bool((labels < 0).any()):
        return 0
    return min(int((some == number).sum()) for number in labels.unique() for some in (labels, *others))
