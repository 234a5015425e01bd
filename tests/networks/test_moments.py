"""The moments of a batch, which are the input of the one-dimensional tutorial's discriminator."""

import torch
from scipy.stats import kurtosis, skew

from gan.networks.moments import Discriminator, moments


def test_moments_equal_those_of_scipy():
    x = torch.distributions.Gamma(2.0, 1.0).sample((500, 1, 1, 1))
    values = x.flatten().double().numpy()
    expected = [values.mean(), values.std(), skew(values), kurtosis(values)]
    assert torch.allclose(moments(x), torch.tensor(expected, dtype=torch.float32), rtol=1e-3)


def test_examples_share_one_logit_that_ignores_their_order():
    discriminator, x = Discriminator([10, 10]), torch.randn(50, 1, 1, 1)
    logits = discriminator.score(x)
    assert logits.shape == (50,)
    assert logits.eq(logits[0]).all()
    assert torch.allclose(logits, discriminator.score(x.flip(0)), atol=1e-6)


def test_constant_batch_has_finite_gradients():
    x = torch.full((4, 1, 1, 1), 2.0, requires_grad=True)
    Discriminator([3]).score(x).sum().backward()
    assert x.grad.isfinite().all()
