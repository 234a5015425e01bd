"""D learns from auxiliary terms alone, G nothing."""

import torch

from gan.losses.no_game import NoGame
from tests.losses.test_feature_matching import pair


def test_both_objectives_are_zero_with_a_gradient_of_zero():
    real, fake = torch.ones(2, 3, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    for objective in (NoGame().discriminator, NoGame().generator):
        value = objective(pair(real, fake))
        value.backward()
        assert value.item() == 0
    assert not real.grad.any()
    assert not fake.grad.any()
