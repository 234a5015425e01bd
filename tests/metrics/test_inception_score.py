"""The inception score against its formula, its extremes and its standard error."""

import math

import numpy as np
import pytest
import torch

from gan.metrics.inception_score import InceptionScore, inception_score
from tests.metrics.cases import case, certain, classified


def guesses(rows, classes, seed=0):
    return (2 * torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed))).log_softmax(1)


def score(log_probabilities):
    """exp of the mean KL(p(y|x) ‖ p(y)), image by image."""
    p = log_probabilities.double().exp().numpy()
    return math.exp(np.mean([sum(row * np.log(row / p.mean(0))) for row in p]))


def test_score_equals_the_formula_on_each_split():
    rows = guesses(60, 7)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    scores = [score(part) for part in rows[order].split(15)]
    value, error = inception_score(rows, splits=4, seed=3)
    assert value == pytest.approx(np.mean(scores))
    assert error == pytest.approx(np.std(scores, ddof=1) / 2)


def test_score_of_certain_even_and_of_constant_predictions():
    even = certain(torch.arange(10).repeat(1000), 10)
    assert inception_score(even, splits=2)[0] == pytest.approx(10, rel=0.01)
    assert inception_score(torch.zeros(100, 10).log_softmax(1), splits=2) == pytest.approx((1, 0))
    assert inception_score(certain(torch.full((100,), 4), 10), splits=2) == pytest.approx((1, 0))


@pytest.mark.parametrize("certainty", [-1e4, -math.inf])
def test_class_of_probability_zero_does_not_give_nan(certainty):
    """Its probability is 0 in float64, and 0 · log 0 is 0."""
    two = torch.full((100, 3), certainty).scatter_(1, torch.arange(100)[:, None] % 2, 0.0)
    assert inception_score(two, splits=2)[0] == pytest.approx(2, rel=0.02)


def test_score_falls_with_uncertainty_and_collapse():
    """Uncertainty and collapse lower it."""
    chosen = torch.arange(10).repeat(50)
    good = certain(chosen, 10)
    doubtful, collapsed = (good / 20).log_softmax(1), certain(chosen % 3, 10)
    values = [InceptionScore()(case(classified(p), classified(p)))[0].value for p in (good, doubtful, collapsed)]
    assert values[0] > values[1] + 1
    assert values[0] > values[2] + 1
    assert InceptionScore.better == "higher"


def test_standard_error_equals_the_spread_of_repeated_scores():
    measures = [InceptionScore()(case(classified(p), classified(p)))[0] for p in guesses(60_000, 5).split(300)]
    claimed = math.sqrt(np.mean([m.standard_error**2 for m in measures]))
    assert claimed == pytest.approx(np.std([m.value for m in measures]), rel=0.2)
    assert measures[0].details == {"standard_error_over": "splits", "splits": 10}


def test_leftover_samples_are_dropped():
    """Torchmetrics would make seven splits from 41 samples."""
    rows = guesses(47, 7)
    assert inception_score(rows, splits=8) == inception_score(rows[:40], splits=8)
    assert inception_score(rows[:41], splits=8) == inception_score(rows[:40], splits=8)


def test_too_few_samples_or_splits_are_refused():
    with pytest.raises(ValueError, match="splits must be a whole number of at least 2, got 1"):
        InceptionScore(splits=1)
    with pytest.raises(ValueError, match="9 samples do not fill 10 splits"):
        inception_score(guesses(9, 3), splits=10)
