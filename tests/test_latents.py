"""The noise priors' moments and supports."""

import math

import pytest
import torch

from gan.latents import Gaussian, Spherical, Uniform


@pytest.mark.parametrize("latent", [Gaussian(16), Uniform(16), Spherical(16)])
def test_zero_mean_unit_variance(latent):
    z = latent(40_000, generator=torch.Generator().manual_seed(0))
    assert z.shape == (40_000, 16)
    assert z.dtype == torch.float32
    error = 5 / math.sqrt(z.numel())
    assert z.mean().item() == pytest.approx(0, abs=error)
    assert z.var().item() == pytest.approx(1, abs=2 * error)


def test_uniform_fills_its_interval_and_no_more():
    z = Uniform(4)(50_000)
    assert -math.sqrt(3) <= z.min() < -1.73
    assert 1.73 < z.max() <= math.sqrt(3)


def test_spherical_lies_on_the_sphere():
    norms = Spherical(9)(100).norm(dim=1)
    assert torch.allclose(norms, torch.full((100,), 3.0))


@pytest.mark.parametrize("latent", [Gaussian(3), Uniform(3), Spherical(3)])
def test_a_generator_of_ones_own_leaves_the_global_one_alone(latent):
    before = torch.get_rng_state()
    a, b = (latent(5, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(a, b)
    assert torch.equal(before, torch.get_rng_state())


def test_dim_must_be_positive():
    with pytest.raises(ValueError, match="dim must be at least 1, got 0"):
        Gaussian(0)
