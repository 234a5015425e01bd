"""Reference images, with which samples are compared, and the score of real images (the floor)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gan.core.errors import UserError
from gan.core.random import derive
from gan.data.base import Source, Split
from gan.evaluation.records import FLOOR, Row
from gan.metrics.base import Case, Images, Metric
from gan.metrics.features.base import OUTPUTS, FeatureExtractor

PIXELS = "pixels"  # the features of a metric without a feature extractor


@dataclass
class ReferenceImages:
    """Real images and their features; results are cached for the next run.

    Attributes:
        data: a loaded data set with a fixed set of examples.
        net: a prepared feature extractor.
        device: the device on which metrics are computed.
        split: the images that represent the data's distribution, ``test`` or ``valid``.
    """

    data: Source
    net: FeatureExtractor
    device: torch.device
    split: str = "test"
    _images: dict[str, Images] = field(default_factory=dict)
    _floors: dict[tuple, list[Row]] = field(default_factory=dict)
    _some: dict[tuple, Images] = field(default_factory=dict)

    def see(self, images: Tensor, labels: Tensor | None = None) -> Images:
        """The images with features of the extractor, and with their classes."""
        return Images(images.to(self.device), self.net, None if labels is None else labels.to(self.device))

    def images(self, split: str) -> Images:
        """All images of a split."""
        if split not in self._images:
            self._images[split] = self.see(self.data.splits[split].images, self.data.splits[split].labels)
        return self._images[split]

    @cached_property
    def folds(self) -> list[dict[str, Images]]:
        """The folds for :class:`Case`."""
        if self.split != "test":  # then no test images are used
            return [{name: self.images(self.split) for name in ("valid", "test")}]
        if len(self.data.folds()) == 1:
            return [{name: self.images(name) for name in ("valid", "test")}]
        return [
            {name: self.see(split.images, split.labels) for name, split in fold.items()} for fold in self.data.folds()
        ]

    def measure(self, metric: Metric, name: str, samples: Images, model: Any = None) -> list[Row]:
        """A metric's scores for the samples of generator ``name``; raises UserError if it cannot be computed.

        Args:
            metric: a metric of the samples or, if it needs more, of ``model``.
            name: ``raw``, ``ema`` or ``floor``.
            samples: the samples with features of the extractor.
            model: see :class:`gan.metrics.base.Case`.
        """
        train, valid, test = (self.images(split) for split in ("train", "valid", self.split))
        case = Case(samples, train, valid, test, self.folds, model, name)
        features = self.net.name if metric.needs & OUTPUTS else PIXELS
        try:
            first, *others = metric(case)
            ranked = Row(name, first, len(samples), features, self.split, metric.better, metric.biased)
            return [ranked, *(Row(name, measure, len(samples), features, self.split) for measure in others)]
        except ValueError as error:  # usually too few images
            raise UserError(f"{type(metric).__name__} of {len(samples)} images ({name}): {error}.") from error

    def floor(self, metric: Metric, count: int, seed: int) -> list[Row]:
        """A metric's scores for ``count`` different real images, or for all if there are fewer.

        Empty if these are the same images that samples are compared with.
        """
        if metric.floor == self.split:
            return []
        key = (metric, count, seed)
        if key not in self._floors:
            self._floors[key] = self.measure(metric, FLOOR, self.some(metric.floor, count, seed))
        return self._floors[key]

    def given(self) -> frozenset[str]:
        """The outputs of the feature extractor, by the names in ``Metric.needs``."""
        view = self.see(self.images(self.split).stored[:2]).view
        return frozenset(name for name, value in vars(view).items() if value is not None)

    def some(self, split: str, count: int, seed: int) -> Images:
        """:func:`choose_images` of a split: the same images for every metric, with features computed once."""
        key = (split, count, seed)
        if key not in self._some:
            chosen = choose_images(self.data.splits[split], count, seed)
            self._some[key] = self.see(chosen.images, chosen.labels)
        return self._some[key]

    def labels_of_some(self, split: str, count: int, seed: int) -> Tensor:
        """The labels of :meth:`some` images, without the images."""
        labels = self.data.splits[split].labels
        return choose_images(Split(labels, labels), count, seed).labels


def load_reference(
    data: Source, net: FeatureExtractor, device: torch.device, metrics: Sequence[Metric], split: str = "test"
) -> ReferenceImages:
    """The data's real images with a feature extractor, which is prepared only if a metric needs it.

    Raises:
        UserError: the data has no reference images, or the feature extractor does not support it.
    """
    check_images(data)
    net.device = device
    if any(metric.needs & OUTPUTS for metric in metrics):
        net.prepare(data)
    return ReferenceImages(data, net.to(device).eval().requires_grad_(False), device, split)


def check_images(data: Source) -> None:
    """Raises UserError if the data has no fixed set of images for metrics."""
    if not data.has_fixed_examples:
        raise UserError(f"{data.describe()}: metrics need a set of images to compare with.")
    if any(len(split) < 2 for fold in data.folds() for split in fold.values()):
        raise UserError("metrics need validation and test images; set some aside (data.validation_size, …_share).")


def choose_images(split: Split, count: int, seed: int) -> Split:
    """``count`` different random images with their classes, or all if there are fewer."""
    generator = torch.Generator().manual_seed(derive(seed, "floor"))
    return split[torch.randperm(len(split), generator=generator)[:count]]
