"""Rows of numbers in place of images that a feature extractor has looked at."""

import torch
from torch import Tensor

from gan.metrics.base import Case, Images
from gan.metrics.features.base import View


def points(rows: Tensor) -> Images:
    """Images whose pixels are the rows (N, F), and whose features are their pixels."""
    return Images(rows[:, :, None, None], lambda images: View(images.flatten(1)))


def judged(log_probabilities: Tensor, good: Tensor | None = None) -> Images:
    """Images (N,) of which a classifier thinks the rows (N, K)."""

    def look(numbers: Tensor) -> View:
        rows = numbers.flatten().long()
        return View(numbers.flatten(1), log_probabilities[rows], None if good is None else good[rows])

    return Images(torch.arange(len(log_probabilities)).float().view(-1, 1, 1, 1), look)


def certain(chosen: Tensor, classes: int) -> Tensor:
    """Log-probabilities (N, K) of a classifier that is next to certain of the classes (N,)."""
    return torch.full((len(chosen), classes), -30.0).scatter_(1, chosen[:, None], 0.0).log_softmax(1)


def case(samples: Images, test: Images, train: Images | None = None) -> Case:
    """Samples against test images, the only fold's validation images too; there are no others unless given."""
    nothing = points(torch.zeros(0, 1))
    return Case(samples, train or nothing, nothing, test, [{"valid": test, "test": test}])
