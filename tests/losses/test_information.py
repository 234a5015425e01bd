"""The mutual-information term: its value, and whom it moves."""

import math

import pytest
import torch

from gan.core.batch import Batch, Output
from gan.losses.base import Pair
from gan.losses.information import MutualInformation

Z = torch.tensor([[9.0, 1.0, 0.0, 0.5], [-9.0, 0.0, 1.0, -0.2]])  # noise, a code of two values, a number


def pair(guesses):
    nothing = Batch(images=torch.zeros(2, 1))
    return Pair(lambda batch: Output(codes=guesses), nothing, Batch(images=torch.zeros(2, 1), z=Z))


def test_value_by_hand():
    guesses = torch.tensor([[math.log(3), 0.0, 0.0], [0.0, 0.0, 0.3]])  # Q(c) = 3/4 and 1/2; means 0 and .3
    term = MutualInformation([2], 1, continuous_weight=0.1, weight=2.0)
    expected = 2 * ((-math.log(3 / 4) + math.log(2)) / 2 + 0.1 * (0.5**2 + 0.5**2) / 2 / 2)
    assert term.discriminator(pair(guesses)).item() == pytest.approx(expected, rel=1e-6)
    assert term.generator(pair(guesses)).item() == pytest.approx(expected, rel=1e-6)


def test_gradient_raises_the_likelihood_of_the_codes():
    guesses = torch.zeros(2, 3, requires_grad=True)
    MutualInformation([2], 1).generator(pair(guesses)).backward()
    assert guesses.grad[0, 0] < 0 < guesses.grad[0, 1]
    assert guesses.grad[1, 1] < 0 < guesses.grad[1, 0]
    assert guesses.grad[0, 2] < 0 < guesses.grad[1, 2]


def test_codes_of_one_kind_only():
    only = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    z = Z[:, :3]
    given = Pair(lambda batch: Output(codes=only), Batch(images=Z), Batch(images=Z, z=z))
    assert MutualInformation([2], 0).discriminator(given).item() == pytest.approx(math.log(2), rel=1e-6)
    numbers = Pair(lambda batch: Output(codes=only[:, :1]), Batch(images=Z), Batch(images=Z, z=Z))
    assert MutualInformation([], 1).discriminator(numbers).item() == pytest.approx((0.25 + 0.04) / 4, rel=1e-6)
