"""Interfaces of metrics: what they get and what they return."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from gan.core.images import scale
from gan.metrics.distances import nearest_distances, neighbour_radii

BATCH = 100  # images per batch of the feature extractor: larger batches leave a CPU's cache


@dataclass(frozen=True)
class Measure:
    """One number with its uncertainty.

    Attributes:
        name: the key of the number in ``metrics.json``.
        value: in ``unit``.
        unit: of value and error, empty for a plain number.
        standard_error: of the value, over what ``details`` name; None where there is none.
        details: whatever else the number depends on, plain values.
        found: whatever else came out beside the number, plain values.
    """

    name: str
    value: float
    unit: str = ""
    standard_error: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)


class Images:
    """Images with their pixels and, computed at the first use, their features.

    Args:
        pixels: (N, C, H, W), float32 in [0, 1] or uint8, on any device.
        look: the feature extractor, for float32 images (B, C, H, W) in [0, 1]; what it returns has attributes
            ``features`` and ``log_probabilities`` and ``good``, see :class:`gan.metrics.features.base.View`.
    """

    def __init__(self, pixels: Tensor, look: Callable[[Tensor], Any]) -> None:
        self.stored, self.look = pixels, look
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
        """What the feature extractor makes of all of them."""
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
        """From each image to the nearest of the others in feature space, (N,), float64; computed once."""
        if id(others) not in self._distances:  # `others` is kept, so that no other object takes its id
            self._distances[id(others)] = (others, nearest_distances(self.features, others.features))
        return self._distances[id(others)][1]

    def radii(self, k: int) -> Tensor:
        """From each image to its k-th nearest other one in feature space, (N,), float64; computed once."""
        if k not in self._radii:
            self._radii[k] = neighbour_radii(self.features, k)
        return self._radii[k]


@dataclass(frozen=True)
class Case:
    """Samples and the reference images that they are compared with.

    Attributes:
        samples: what is judged.
        train, valid, test: the real images of the data's splits, all of them.
        folds: the pairs ``valid`` and ``test`` over which the data's own protocol averages.
        model: what made the samples, for a metric that needs more of it (a likelihood bound, reconstructions);
            None where the samples are real images.
    """

    samples: Images
    train: Images
    valid: Images
    test: Images
    folds: Sequence[Mapping[str, Images]]
    model: Any = None


class Metric(ABC):
    """A function of samples and real images.

    Attributes:
        needs: what a feature extractor must give for it (``features``, ``log_probabilities``, ``good``), or the model
            itself (what its method ``offers``).
        floor: the split whose images, in place of samples, show what a perfect generator could score.
        better: whether of two generators the one with the ``lower`` or the ``higher`` first number is the
            better one; None where neither is.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"features"})
    floor: ClassVar[Literal["train", "valid"]] = "train"
    better: ClassVar[Literal["lower", "higher"] | None] = None

    @abstractmethod
    def __call__(self, case: Case) -> list[Measure]:
        """The numbers of the case's samples, the one that the metric is chosen for first."""
