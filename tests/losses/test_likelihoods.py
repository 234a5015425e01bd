"""Likelihoods of images against torch's distributions."""

import pytest
import torch

from gan.core.errors import UserError
from gan.losses.likelihoods import Bernoulli, Gaussian, SquaredError


def test_values_are_those_of_torch():
    torch.manual_seed(0)
    outputs, images = torch.rand(5, 1, 3, 2).clamp(0.01, 0.99), torch.rand(5, 1, 3, 2)
    binary = images.round()
    expected = -torch.distributions.Bernoulli(outputs).log_prob(binary).flatten(1).sum(1).mean()
    assert Bernoulli()(outputs, binary).item() == pytest.approx(expected.item(), rel=1e-5)
    for deviation in (0.1, 1.0, 3.0):
        expected = -torch.distributions.Normal(outputs, deviation).log_prob(images).flatten(1).sum(1).mean()
        assert Gaussian(deviation)(outputs, images).item() == pytest.approx(expected.item(), rel=1e-5)


def test_squared_error_by_hand_and_as_a_gaussian():
    outputs, images = torch.tensor([[[[1.0, 2.0]]], [[[0.0, 0.0]]]]), torch.tensor([[[[0.0, 0.0]]], [[[0.0, 4.0]]]])
    assert SquaredError()(outputs, images).item() == pytest.approx(0.5 * (5 + 16) / 2)
    a, b = torch.rand(2, 1, 2, 2), torch.rand(2, 1, 2, 2)
    difference = Gaussian(1.0)(a, images[:, :, :, :1].expand(2, 1, 2, 2)) - Gaussian(1.0)(b, torch.zeros(2, 1, 2, 2))
    expected = SquaredError()(a, torch.zeros(2, 1, 2, 2)) - SquaredError()(b, torch.zeros(2, 1, 2, 2))
    assert difference.item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
def test_deviation_must_be_positive(wrong):
    with pytest.raises(UserError, match="deviation must be a number above 0"):
        Gaussian(wrong)
