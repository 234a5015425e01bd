"""Interfaces of metrics: their inputs and results."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from gan.core.images import scale
from gan.metrics.distances import nearest_distances, neighbour_radii

BATCH = 100  # images per batch of the feature extractor: larger batches do not fit a CPU's cache


@dataclass(frozen=True)
class Measure:
    """One number with its uncertainty.

    Attributes:
        name: the key of the number in ``metrics.json``.
        value: in ``unit``.
        unit: of value and error, empty for a plain number.
        standard_error: of the value; ``details`` names what it is over. None if it is unknown.
        details: the other settings that the number depends on, plain values.
        found: additional results, plain values.
    """

    name: str
    value: float
    unit: str = ""
    standard_error: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)


class Images:
    """Images with their pixels and their features, which are computed at the first use.

    Args:
        pixels: (N, C, H, W), float32 in [0, 1] or uint8, on any device.
        look: the feature extractor, for float32 images (B, C, H, W) in [0, 1]; its result has attributes
            ``features``, ``log_probabilities`` and ``good``, see :class:`gan.metrics.features.base.View`.
        labels: the class of each image, for samples the requested one, int64 (N,), -1 for none; None if unknown.
    """

    def __init__(self, pixels: Tensor, look: Callable[[Tensor], Any], labels: Tensor | None = None) -> None:
        self.stored, self.look, self.labels = pixels, look, labels
        self._distances: dict[int, tuple[Images, Tensor]] = {}
        self._radii: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.stored)

    @cached_property
    def pixels(self) -> Tensor:
        """(N, C, H, W), float32 in [0, 1]."""
        return scale(self.stored)

    @cached_property
    @torch.no_grad()
    def view(self) -> Any:
        """The feature extractor's output for all images."""
        views = [self.look(scale(part)) for part in self.stored.split(BATCH)]
        return type(views[0]).join(views)

    @property
    def features(self) -> Tensor:
        """(N, F), float32."""
        return self.view.features

    @property
    def log_probabilities(self) -> Tensor:
        """log p(class | image), (N, K)."""
        return self.view.log_probabilities

    def distances_to(self, others: "Images") -> Tensor:
        """Distance of each image to the nearest of the others in feature space, (N,), float64; cached."""
        if id(others) not in self._distances:  # `others` is kept, so that its id is not reused
            self._distances[id(others)] = (others, nearest_distances(self.features, others.features))
        return self._distances[id(others)][1]

    def radii(self, k: int) -> Tensor:
        """Distance of each image to its k-th nearest neighbor in feature space, (N,), float64; cached."""
        if k not in self._radii:
            self._radii[k] = neighbour_radii(self.features, k)
        return self._radii[k]


@dataclass(frozen=True)
class Case:
    """Samples and the reference images that they are compared with.

    Attributes:
        samples: the images to evaluate.
        train, valid, test: all real images of the data's splits.
        folds: the pairs ``valid`` and ``test`` over which the data's own protocol averages.
        model: the model that generated the samples, for a metric that needs more of it, such as a likelihood bound
            or reconstructions; None if the samples are real images.
        generator: ``raw``, ``ema``, or ``floor`` for real images.
    """

    samples: Images
    train: Images
    valid: Images
    test: Images
    folds: Sequence[Mapping[str, Images]]
    model: Any = None
    generator: str = "raw"


class Metric(ABC):
    """A function of samples and real images.

    Attributes:
        needs: the required outputs of the feature extractor (``features``, ``log_probabilities``, ``good``), or of the
            model (names in its method's ``offers``); ``labels`` are those that samples were requested with.
        floor: the split whose images replace the samples in the floor, the score of a perfect generator.
        better: ``lower`` or ``higher``: which first number belongs to the better generator; None if neither does.
        biased: whether fewer samples raise the first number of the same generator, as for a distance between
            distributions that are estimated from the samples.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"features"})
    floor: ClassVar[Literal["train", "valid"]] = "train"
    better: ClassVar[Literal["lower", "higher"] | None] = None
    biased: ClassVar[bool] = False

    def least_images(self) -> dict[str, int]:
        """The smallest numbers of ``samples`` and of ``test`` images, and of images of each ``class``.

        One suffices for what is not named, none of a class.
        """
        return {}

    @abstractmethod
    def __call__(self, case: Case) -> list[Measure]:
        """The metric's numbers for the case's samples, the main one first."""
