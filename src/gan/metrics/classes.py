"""The distribution of samples over classes or modes, by a classifier."""

import math

import torch
from torch import Tensor

from gan.core.checks import check_integer
from gan.metrics.base import Case, Images, Measure, Metric


def histogram(log_probabilities: Tensor, good: Tensor | None = None) -> Tensor:
    """The number of images predicted as each class, (K,), int64; counts only the ``good`` images if given."""
    chosen = log_probabilities.argmax(1)
    return torch.bincount(chosen if good is None else chosen[good], minlength=log_probabilities.shape[1])


def divergence(counts: Tensor, reference: Tensor) -> float:
    """KL(p ‖ q) in nats of two histograms (K,), at least 0; infinite if q misses a class that p has.

    Raises:
        ValueError: a histogram is empty.
    """
    if counts.sum() == 0 or reference.sum() == 0:
        raise ValueError("a histogram without a count has no divergence")
    p, q = counts.double() / counts.sum(), reference.double() / reference.sum()
    return float((torch.xlogy(p, p) - torch.xlogy(p, q)).sum())


class ClassHistogram(Metric):
    """KL divergence of the samples' predicted classes from those of the test images."""

    needs, better, biased = frozenset({"log_probabilities"}), "lower", True

    def __call__(self, case: Case) -> list[Measure]:
        counts, reference = (histogram(images.log_probabilities) for images in (case.samples, case.test))
        # A class without test images would make the divergence infinite: it counts as half an image.
        value = divergence(counts, reference.double().clamp(min=0.5))
        found = {"histogram": counts.tolist(), "histogram_of_test_images": reference.tolist()}
        return [Measure("class_divergence", value, "nats", None, {"test_images": len(case.test)}, found)]


class Modes(Metric):
    """Number of modes found, KL of the samples' modes from the uniform distribution, and share of good samples.

    Srivastava et al. 2017, "VEEGAN", section 4: a mode is found if a good sample belongs to it. The share of good
    samples is reported only if the feature extractor defines good samples (within some deviations of a mode).

    Args:
        least: number of samples with which a mode counts as found, at least 1.
    """

    needs, better = frozenset({"log_probabilities"}), "higher"

    def __init__(self, least: int = 1) -> None:
        check_integer("[1, inf)", least=least)
        self.least = least

    def __call__(self, case: Case) -> list[Measure]:
        counts, good = _modes(case.samples)
        details = {"modes": len(counts), "least": self.least}
        measures = [Measure("modes_found", float((counts >= self.least).sum()), f"of {len(counts)}", details=details)]
        if counts.sum():
            value = divergence(counts, torch.ones_like(counts))
            measures.append(Measure("mode_divergence", value, "nats", details=details))
        if good is not None:
            share = float(good.double().mean())
            error = math.sqrt(share * (1 - share) / len(good))
            measures.append(Measure("good_samples", share, "", error, details | {"standard_error_over": "samples"}))
        return measures


def _modes(images: Images) -> tuple[Tensor, Tensor | None]:
    good = images.view.good
    return histogram(images.log_probabilities, good), good
