"""The inception score, with whatever classifier looks at the samples.

Salimans et al. 2016, "Improved Techniques for Training GANs", section 4.
"""

import math
import warnings

import torch
from torch import Tensor, nn
from torchmetrics.image.inception import InceptionScore as Score

from gan.metrics.base import Case, Measure, Metric


@torch.no_grad()
def inception_score(log_probabilities: Tensor, splits: int, seed: int = 0) -> tuple[float, float]:
    """exp E_x KL(p(y|x) ‖ p(y)), from 1 to the number of classes: mean over splits, and its standard error.

    Torchmetrics computes it.

    Args:
        log_probabilities: log p(y|x), (N, K).
        splits: parts of the samples, at least 2, each with a p(y) of its own.
        seed: of the order in which the samples fill the splits.
    """
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", message="Metric `InceptionScore` will save all extracted features")
        torch.manual_seed(seed)
        score = Score(nn.Identity(), splits=splits)
        score.set_dtype(torch.float64)
        score.update(log_probabilities.double().cpu())
        mean, deviation = score.compute()
    return float(mean), float(deviation) / math.sqrt(splits)


class InceptionScore(Metric):
    """:func:`inception_score` of the samples; never looks at a real image.

    Args:
        splits: at least 2.
    """

    needs, better = frozenset({"log_probabilities"}), "higher"

    def __init__(self, splits: int = 10) -> None:
        if splits < 2:
            raise ValueError(f"splits must be at least 2, got {splits}")
        self.splits = splits

    def __call__(self, case: Case) -> list[Measure]:
        value, error = inception_score(case.samples.log_probabilities, self.splits)
        details = {"standard_error_over": "splits", "splits": self.splits}
        return [Measure("inception_score", value, standard_error=error, details=details)]
