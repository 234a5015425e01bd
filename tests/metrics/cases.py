"""Images whose features or class probabilities are given rows of numbers."""

import torch
from torch import Tensor

from gan.metrics.base import Case, Images
from gan.metrics.features.base import View


def points(rows: Tensor) -> Images:
    """Images whose pixels are the rows (N, F), and whose features are their pixels."""
    return Images(rows[:, :, None, None], lambda images: View(images.flatten(1)))


def classified(log_probabilities: Tensor, good: Tensor | None = None) -> Images:
    """N images for which a classifier returns the log-probabilities (N, K)."""

    def extract(numbers: Tensor) -> View:
        rows = numbers.flatten().long()
        return View(numbers.flatten(1), log_probabilities[rows], None if good is None else good[rows])

    return Images(torch.arange(len(log_probabilities)).float().view(-1, 1, 1, 1), extract)


def certain(chosen: Tensor, classes: int) -> Tensor:
    """Log-probabilities (N, K) of a classifier that is almost certain of the classes (N,)."""
    return torch.full((len(chosen), classes), -30.0).scatter_(1, chosen[:, None], 0.0).log_softmax(1)


def case(samples: Images, test: Images, train: Images | None = None) -> Case:
    """Samples against test images, which are also the validation images of the only fold."""
    nothing = points(torch.zeros(0, 1))
    return Case(samples, train or nothing, nothing, test, [{"valid": test, "test": test}])
