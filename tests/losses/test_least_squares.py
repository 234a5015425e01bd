"""Least squares on raw scores."""

import pytest
import torch

from gan.core.batch import Batch, Output
from gan.losses.base import Pair
from gan.losses.least_squares import LeastSquares


def pair(real, fake):
    return Pair(lambda batch: Output(logits=batch.images), Batch(images=real), Batch(images=fake))


@pytest.mark.parametrize(("targets", "d", "g"), [((1, 0, 1), 1.25 + 1, 0.5), ((1, -1, 0), 1.25 + 2.5, 1.0)])
def test_hand_worked_values(targets, d, g):
    """Scores 0 and 3 of real images: (1² + 2²) / 4; 2 and 0 of samples: (2² + 0²) / 4 or (3² + 1²) / 4."""
    given = pair(torch.tensor([0.0, 3.0]), torch.tensor([2.0, 0.0]))
    loss = LeastSquares(*map(float, targets))
    assert loss.discriminator(given).item() == pytest.approx(d)
    assert loss.generator(given).item() == pytest.approx(g)


def test_best_discriminator_is_the_share_of_the_data():
    """At a point with densities p and q the score that minimizes D's loss is p / (p + q)."""
    p, q = 0.3, 0.7
    score = torch.tensor(0.1, requires_grad=True)
    loss = LeastSquares()
    for _ in range(400):
        (gradient,) = torch.autograd.grad(
            p * loss.discriminator(pair(score[None], torch.zeros(1)))
            + q * loss.discriminator(pair(torch.ones(1), score[None])),
            score,
        )
        score = (score - 0.1 * gradient).detach().requires_grad_()
    assert score.item() == pytest.approx(p / (p + q), abs=1e-4)
    assert loss.probability(Output(logits=score)).item() == pytest.approx(0.3, abs=1e-4)


def test_probability_is_linear_between_the_targets():
    scores = torch.tensor([-3.0, -1.0, 0.0, 0.5, 1.0, 9.0])
    assert LeastSquares(1.0, -1.0, 0.0).probability(Output(logits=scores)).tolist() == [0, 0, 0.5, 0.75, 1, 1]


def test_targets_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="fake must be less than real, got 1 and 0"):
        LeastSquares(real=0.0, fake=1.0)
