"""Priors of the latent z: moments, supports, interpolation paths and cells."""

import math

import pytest
import torch

from gan.core.random import RandomRows
from gan.networks.latents import Gaussian, Mixture, Spherical, Truncated, Uniform, lerp, slerp


@pytest.mark.parametrize("latent", [Gaussian(16), Uniform(16), Spherical(16), Mixture(16, 200, share=0.5)])
def test_prior_has_zero_mean_and_unit_variance(latent):
    z = latent.draw(RandomRows(generator=torch.Generator().manual_seed(0)), 40_000)
    assert z.shape == (40_000, 16)
    assert z.dtype == torch.float32
    error = 5 / math.sqrt(z.numel())
    assert z.mean().item() == pytest.approx(0, abs=error)
    assert z.var().item() == pytest.approx(1, abs=2 * error)


def test_uniform_prior_fills_exactly_its_interval():
    z = Uniform(4).draw(RandomRows(), 50_000)
    assert -math.sqrt(3) <= z.min() < -1.73
    assert 1.73 < z.max() <= math.sqrt(3)


def test_spherical_prior_lies_on_the_sphere():
    norms = Spherical(9).draw(RandomRows(), 100).norm(dim=1)
    assert torch.allclose(norms, torch.full((100,), 3.0))


@pytest.mark.parametrize("latent", [Gaussian(3), Uniform(3), Spherical(3), Truncated(3), Mixture(3)])
def test_own_random_generator_keeps_the_global_random_state(latent):
    before = torch.get_rng_state()
    a, b = (latent.draw(RandomRows(generator=torch.Generator().manual_seed(7)), 5) for _ in range(2))
    assert torch.equal(a, b)
    assert torch.equal(before, torch.get_rng_state())


def seeded():
    return RandomRows(generator=torch.Generator().manual_seed(0))


def test_deviation_of_a_gaussian_scales_it():
    assert torch.equal(Gaussian(4, deviation=5.0).draw(seeded(), 9), 5 * Gaussian(4).draw(seeded(), 9))
    assert Gaussian(1, 5.0).distribution_function(torch.tensor(5.0)).item() == pytest.approx(0.8413447)


@pytest.mark.parametrize("bound", [0.5, 2.0, 4.0])
def test_truncated_prior_is_a_gaussian_within_its_bound(bound):
    """The same quantiles as a Gaussian of which values beyond the bound were drawn again."""
    z = Truncated(1, bound).draw(seeded(), 200_000)[:, 0]
    assert z.abs().max() <= bound
    whole = torch.randn(2_000_000, generator=torch.Generator().manual_seed(1))
    kept = whole[whole.abs() <= bound][:200_000]
    at = torch.linspace(0.01, 0.99, 9)
    assert torch.allclose(z.quantile(at), kept.quantile(at), atol=0.02)
    density = math.exp(-(bound**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * bound * density / math.erf(bound / math.sqrt(2))
    assert z.var().item() == pytest.approx(variance, rel=0.02)


def test_truncated_prior_has_the_distribution_function_of_its_draws():
    prior = Truncated(1, 1.5)
    z = prior.draw(seeded(), 100_000)[:, 0].double()
    for at in (-1.5, -1.0, 0.0, 0.7, 1.5):
        share = (z <= at).double().mean().item()
        assert prior.distribution_function(torch.tensor(at)).item() == pytest.approx(share, abs=0.01)
    edges, masses = prior.cells(30)
    assert (edges[0], edges[-1]) == (-1.5, 1.5)
    assert masses.sum().item() == pytest.approx(1)


def test_mixture_has_gaussians_around_its_centers():
    prior = Mixture(3, components=4, share=0.99, seed=5)
    assert torch.allclose(prior.centers.mean(0), torch.zeros(3), atol=1e-6)
    assert prior.centers.square().mean().item() == pytest.approx(0.99, rel=1e-5)
    z = prior.draw(seeded(), 40_000)
    nearest = (z[:, None] - prior.centers).norm(dim=2)
    index = nearest.argmin(1)
    counts = torch.bincount(index, minlength=4)
    assert (counts - 10_000).abs().max() < 500
    for i in range(4):
        rest = z[index == i] - prior.centers[i]
        assert torch.allclose(rest.std(0), torch.full((3,), 0.1), atol=0.01)
    assert torch.equal(prior.centers, Mixture(3, 4, 0.99, 5).centers)
    assert not torch.equal(prior.centers, Mixture(3, 4, 0.99, 6).centers)


def test_rows_of_two_processes_are_those_of_one():
    for prior in (Truncated(3), Mixture(3)):
        whole = prior.draw(seeded(), 8)
        for rank in (0, 1):
            random = RandomRows(rank=rank, world=2, generator=torch.Generator().manual_seed(0))
            assert torch.equal(prior.draw(random, 4), whole[rank::2])


def test_latent_dim_must_be_positive():
    with pytest.raises(ValueError, match="dim must be a whole number of at least 1, got 0"):
        Gaussian(0)


@pytest.mark.parametrize("path", [lerp, slerp])
def test_interpolation_begins_and_ends_exactly(path):
    a, b = torch.randn(4, 7), 3 * torch.randn(4, 7)
    points = path(a, b, torch.linspace(0, 1, 5))
    assert points.shape == (4, 5, 7)
    assert torch.equal(points[:, 0], a)
    assert torch.equal(points[:, -1], b)


def test_lerp_is_linear():
    a, b = torch.randn(2, 3, 50).unbind(0)
    points = lerp(a, b, torch.tensor([0.25, 0.5]))
    assert torch.allclose(points[:, 0], 0.75 * a + 0.25 * b, atol=1e-6)
    assert torch.allclose(points[:, 1], (a + b) / 2, atol=1e-6)


def test_slerp_keeps_the_norm_at_constant_angular_speed():
    a, b = Spherical(50).draw(RandomRows(), 8), Spherical(50).draw(RandomRows(), 8)
    points = slerp(a, b, torch.linspace(0, 1, 9))
    assert torch.allclose(points.norm(dim=2), torch.tensor(math.sqrt(50)), rtol=1e-5)
    turns = torch.nn.functional.cosine_similarity(points[:, 1:], points[:, :-1], dim=2).acos()
    whole = torch.nn.functional.cosine_similarity(a, b).acos()
    assert torch.allclose(turns, whole[:, None] / 8, atol=1e-3)
    straight = lerp(a, b, torch.tensor([0.5])).norm(dim=2)
    assert (straight < 0.9 * math.sqrt(50)).all()


def test_slerp_by_hand():
    quarter = slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([1 / 3]))
    assert torch.allclose(quarter[0, 0], torch.tensor([math.cos(math.pi / 6), 0.5]))


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-7, 2.0, -1.0, 0.0])
def test_slerp_of_parallel_vectors_equals_lerp(factor):
    a, t = torch.randn(3, 6), torch.linspace(0, 1, 4)
    assert torch.allclose(slerp(a, factor * a, t), lerp(a, factor * a, t), atol=1e-6)


@pytest.mark.parametrize("latent", [Gaussian(1), Uniform(1), Uniform(1, bound=0.4)])
def test_cell_masses_match_the_frequencies_of_draws(latent):
    edges, mass = latent.cells(50)
    assert edges.dtype == mass.dtype == torch.float64
    assert (len(edges), len(mass)) == (51, 50)
    assert mass.sum().item() == pytest.approx(1, abs=1e-12)
    z = latent.draw(RandomRows(generator=torch.Generator().manual_seed(0)), 100_000).flatten().double()
    drawn = torch.histogram(z, edges).hist / len(z)
    assert (drawn - mass).abs().max() < 5 * math.sqrt(0.1 / 100_000)


def test_cells_need_a_one_dimensional_density():
    with pytest.raises(ValueError, match=r"latent.dim=2: only a prior in one dimension"):
        Gaussian(2).cells(5)
    with pytest.raises(ValueError, match="Spherical has no density on the line; take gaussian or uniform"):
        Spherical(1).cells(5)
