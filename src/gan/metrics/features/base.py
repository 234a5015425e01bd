"""The base class of feature extractors, which map images to a matrix of features."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class View:
    """A feature extractor's output for N images.

    Attributes:
        features: (N, F), float32; metrics compare Euclidean distances between rows.
        log_probabilities: log p(class | image), (N, K); None if the extractor has no classes.
        good: whether an image is a plausible sample of the data, bool (N,); None if the extractor cannot decide it.
    """

    features: Tensor
    log_probabilities: Tensor | None = None
    good: Tensor | None = None

    @staticmethod
    def join(parts: "list[View]") -> "View":
        """Concatenates the views of consecutive parts of the images."""
        columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(View)}
        return View(**{name: None if column[0] is None else torch.cat(column) for name, column in columns.items()})


#: outputs of a feature extractor that a metric may need
OUTPUTS = frozenset(field.name for field in fields(View))


class FeatureExtractor(nn.Module, ABC):
    """Images to features; scores are labeled with the extractor's name.

    Attributes:
        name: identifies this extractor and its weights: scores under different names are not comparable.
        ready: whether it can be used at once, without training or a download.
        device: the device of its forward pass, and of the training in :meth:`prepare`.
    """

    name: str
    ready: bool = True
    device: torch.device = torch.device("cpu")

    def prepare(self, data) -> None:
        """Fits the extractor to the data or downloads its weights; called before the first use.

        Args:
            data: a :class:`gan.data.base.Source` that has been loaded.

        Raises:
            UserError: the extractor does not support this data.
        """

    @abstractmethod
    def forward(self, images: Tensor) -> View:
        """The view of images float32 (B, C, H, W) in [0, 1] on the extractor's device."""
