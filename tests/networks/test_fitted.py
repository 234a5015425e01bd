"""The Gaussian that is fitted to codes: moments, whitening, dead coordinates, processes."""

import copy

import pytest
import torch

from gan.core.errors import UserError
from gan.networks import fitted, mlp
from gan.networks.fitted import GaussianFit, Whitening

SHAPE = (1, 3, 3)


def made(dim=3, **options):
    torch.manual_seed(0)
    return GaussianFit(mlp.Generator(dim, SHAPE, [8]), dim, **options)


def test_moments_of_the_first_batches_are_plain_means():
    fit, codes = made(), torch.randn(300, 3) @ torch.randn(3, 3) + 2
    for some in codes.split(100):  # 3 batches are fewer than 1 / rate
        fit.observe(some)
    fit.fit()
    assert torch.allclose(fit.mean, codes.mean(0), atol=1e-5)
    covariance = torch.cov(codes.T, correction=0)
    assert torch.allclose(fit.factor @ fit.factor.T, covariance, atol=1e-4 * covariance.diagonal().max())
    assert torch.equal(fit.factor, fit.factor.tril())


def test_later_batches_have_the_weight_of_the_rate():
    fit = made(rate=0.5)
    for value in (0.0, 0.0, 4.0):
        fit.observe(torch.full((2, 3), value))
    assert torch.allclose(fit.first, torch.full((3,), 2.0))  # ½ · 0 + ½ · 4
    assert torch.allclose(fit.second, torch.full((3, 3), 8.0))


def test_samples_have_the_moments_and_whitening_inverts():
    fit, codes = made(), torch.randn(500, 3) @ torch.randn(3, 3) - 1
    fit.observe(codes)
    fit.fit()
    z = Whitening(fit)(codes)
    assert torch.allclose(torch.cov(z.T, correction=0), torch.eye(3), atol=1e-3)
    assert torch.allclose(z.mean(0), torch.zeros(3), atol=1e-4)
    assert torch.allclose(fit(z), fit.decode(codes), atol=1e-5)


def test_before_the_first_batch_codes_are_latents():
    fit, z = made(), torch.randn(4, 3)
    assert torch.equal(fit(z), fit.decode(z))
    assert torch.equal(Whitening(fit)(z), z)


def test_a_coordinate_without_variance_does_no_harm():
    fit, codes = made(), torch.randn(100, 3)
    codes[:, 1] = 7.0
    fit.observe(codes)
    fit.fit()
    assert fit.factor.isfinite().all()
    assert fit(torch.randn(5, 3)).isfinite().all()
    assert (fit.mean[1] + torch.randn(1000, 3) @ fit.factor[1] - 7).abs().max() < 0.1


def test_codes_that_are_not_finite_keep_the_factor():
    fit = made()
    fit.observe(torch.full((4, 3), torch.nan))
    fit.fit()
    assert torch.equal(fit.factor, torch.eye(3))


def test_two_processes_observe_the_codes_of_one(monkeypatch):
    codes, whole = torch.randn(40, 3), made()
    whole.observe(codes)
    halves = [copy.deepcopy(made()) for _ in range(2)]
    moments = [[half.mean(0), half.T @ half / len(half)] for half in (codes[0::2], codes[1::2])]
    means = [(a + b) / 2 for a, b in zip(*moments, strict=True)]
    for fit, mine in zip(halves, (codes[0::2], codes[1::2]), strict=True):
        queue = iter(means)
        monkeypatch.setattr(fitted, "mean_over_processes", lambda x, queue=queue: next(queue))
        fit.observe(mine)
        assert torch.allclose(fit.first, whole.first, atol=1e-6)
        assert torch.allclose(fit.second, whole.second, atol=1e-6)


@pytest.mark.parametrize("rate", [0, 1.5])
def test_rate_is_a_share(rate):
    with pytest.raises(UserError, match="rate must be a number above 0 and at most 1"):
        made(rate=rate)
