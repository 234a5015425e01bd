"""Feature extractors: images to a matrix of features."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class View:
    """What a feature extractor makes of N images.

    Attributes:
        features: (N, F), float32; Euclidean distances between rows are what metrics compare.
        log_probabilities: log p(class | image), (N, K), or None where the net knows no classes.
        good: whether an image is of the data at all, bool (N,), or None where the net cannot tell.
    """

    features: Tensor
    log_probabilities: Tensor | None = None
    good: Tensor | None = None

    @staticmethod
    def join(parts: "list[View]") -> "View":
        """The views of consecutive parts of the images as one."""
        columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(View)}
        return View(**{name: None if column[0] is None else torch.cat(column) for name, column in columns.items()})


#: what a metric may need of a feature extractor
OUTPUTS = frozenset(field.name for field in fields(View))


class FeatureExtractor(nn.Module, ABC):
    """Images to features; scores are named after the extractor.

    Attributes:
        name: what tells this net from every other, its weights included: numbers under different names are
            not comparable.
        ready: whether it can look at once, with nothing to train or to fetch first.
        device: where it will look, and so where :meth:`prepare` trains what has to be trained.
    """

    name: str
    ready: bool = True
    device: torch.device = torch.device("cpu")

    def prepare(self, data) -> None:
        """Fits the extractor to the data or downloads its weights; called before the first use.

        Args:
            data: a :class:`gan.data.base.Source` that has been read.

        Raises:
            UserError: the net cannot serve this data.
        """

    @abstractmethod
    def forward(self, images: Tensor) -> View:
        """Looks at images float32 (B, C, H, W) in [0, 1] on the net's device."""
