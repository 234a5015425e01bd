"""The inception score, with any classifier.

Salimans et al. 2016, "Improved Techniques for Training GANs", section 4.
"""

import math
import warnings

import torch
from torch import Tensor, nn
from torchmetrics.image.inception import InceptionScore as Score

from gan.core.checks import check_integer
from gan.metrics.base import Case, Measure, Metric

_LEAST = -600.0  # log of a probability that float64 can still distinguish from 0


@torch.no_grad()
def inception_score(log_probabilities: Tensor, splits: int, seed: int = 0) -> tuple[float, float]:
    """exp E_x KL(p(y|x) ‖ p(y)), from 1 to the number of classes: the mean over splits and its standard error.

    Torchmetrics computes it. Remaining samples that do not fill a split are ignored.

    Args:
        log_probabilities: log p(y|x), (N, K), at least one row per split.
        splits: number of parts of the samples, at least 2, each with its own p(y).
        seed: seed of the assignment of samples to splits.
    """
    size = len(log_probabilities) // splits
    if size < 1:
        raise ValueError(f"{len(log_probabilities)} samples do not fill {splits} splits")
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", message="Metric `InceptionScore` will save all extracted features")
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPU too
        score = Score(nn.Identity(), splits=splits)
        score.set_dtype(torch.float64)
        score.update(log_probabilities[: size * splits].double().cpu().clamp(min=_LEAST))
        mean, deviation = score.compute()
    return float(mean), float(deviation) / math.sqrt(splits)


class InceptionScore(Metric):
    """:func:`inception_score` of the samples; uses no real images.

    Args:
        splits: number of splits, at least 2.
    """

    needs, better = frozenset({"log_probabilities"}), "higher"

    def __init__(self, splits: int = 10) -> None:
        check_integer("[2, inf)", splits=splits)
        self.splits = splits

    def least_images(self) -> dict[str, int]:
        return {"samples": self.splits}

    def __call__(self, case: Case) -> list[Measure]:
        value, error = inception_score(case.samples.log_probabilities, self.splits)
        details = {"standard_error_over": "splits", "splits": self.splits}
        return [Measure("inception_score", value, standard_error=error, details=details)]
