"""The hinge loss."""

import pytest
import torch

from gan.core.batch import Batch, Output
from gan.losses.base import Pair
from gan.losses.hinge import Hinge

REAL, FAKE = torch.tensor([-0.5, 0.5, 2.0]), torch.tensor([-3.0, 0.0, 1.0])


def pair(real, fake):
    return Pair(lambda batch: Output(logits=batch.images), Batch(images=real), Batch(images=fake))


def test_hand_worked_values():
    assert Hinge().discriminator(pair(REAL, FAKE)).item() == pytest.approx((1.5 + 0.5 + 0) / 3 + (0 + 1 + 2) / 3)
    assert Hinge().generator(pair(REAL, FAKE)).item() == pytest.approx(2 / 3)


def test_examples_beyond_the_margin_have_no_gradient_in_d_but_in_g():
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    Hinge().discriminator(pair(real, fake)).backward()
    assert real.grad.tolist() == pytest.approx([-1 / 3, -1 / 3, 0])
    assert fake.grad.tolist() == pytest.approx([0, 1 / 3, 1 / 3])
    fake.grad = None
    Hinge().generator(pair(real, fake)).backward()
    assert fake.grad.tolist() == pytest.approx([-1 / 3] * 3)


def test_separated_examples_are_those_beyond_the_margin():
    report = Hinge().report(pair(REAL, FAKE))
    assert report["rate/separated"].item() == pytest.approx((1 / 3 + 1 / 3) / 2)
    assert report["rate/ordered"].item() == pytest.approx(1.0)  # -.5 > -3, .5 > 0, 2 > 1
