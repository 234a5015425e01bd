"""The losses of critic and generator, and their gradients."""

import pytest
import torch

from gan.core.batch import Batch, Output
from gan.losses.base import Pair
from gan.losses.wasserstein import Wasserstein


def pair(real, fake):
    return Pair(lambda batch: Output(logits=batch.images), Batch(images=real), Batch(images=fake))


def test_losses_are_differences_of_mean_scores():
    real, fake = torch.tensor([2.0, 4.0]), torch.tensor([1.0, -2.0, 4.0, 5.0])
    assert Wasserstein().discriminator(pair(real, fake)).item() == pytest.approx(2 - 3)
    assert Wasserstein().generator(pair(real, fake)).item() == pytest.approx(-2)


def test_gradient_weighs_every_score_equally():
    real, fake = (torch.randn(n, requires_grad=True) for n in (2, 4))
    Wasserstein().discriminator(pair(real, fake)).backward()
    assert real.grad.tolist() == [-0.5, -0.5]
    assert fake.grad.tolist() == [0.25] * 4


def test_report_has_scores_and_no_probability():
    report = Wasserstein().report(pair(torch.tensor([1.0, 3.0]), torch.tensor([-4.0, -4.0])))
    expected = {"score/real": 2.0, "score/fake": -4.0, "rate/ordered": 1.0, "wasserstein": 6.0}
    assert {name: value.item() for name, value in report.items()} == expected
    assert Wasserstein().probability(Output(logits=torch.zeros(2))) is None
