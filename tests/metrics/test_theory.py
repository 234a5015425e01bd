"""The identities of section 4 of the paper, and the push-forward against known densities."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from gan.metrics.theory import EQUILIBRIUM, jensen_shannon, optimal_discriminator, push_forward, report, value
from gan.networks.latents import Gaussian, Uniform

X = torch.linspace(-15, 20, 7001, dtype=torch.float64)


def normal(mean, deviation, x=X):
    return torch.from_numpy(stats.norm(mean, deviation).pdf(x.numpy()))


PAIRS = [(4, 1.25, 0, 1), (4, 1.25, 4.3, 1.0), (0, 1, 0, 2), (4, 1.25, 4, 1.25)]


@pytest.mark.parametrize("pair", PAIRS)
def test_value_of_the_optimal_d_is_given_by_jensen_shannon(pair):
    p, q = normal(*pair[:2]), normal(*pair[2:])
    best = value(optimal_discriminator(p, q), p, q, X)
    assert best.item() == pytest.approx(-math.log(4) + 2 * jensen_shannon(p, q, X).item(), abs=1e-9)
    torch.manual_seed(0)
    for _ in range(5):  # no other D does better (Proposition 1)
        other = (optimal_discriminator(p, q).logit(eps=1e-9) + torch.randn_like(X)).sigmoid()
        assert value(other, p, q, X) < best


@pytest.mark.parametrize("pair", PAIRS)
def test_jensen_shannon_of_gaussians_equals_adaptive_quadrature(pair):
    p, q = stats.norm(*pair[:2]), stats.norm(*pair[2:])

    def half(a, b):
        def integrand(x):
            return a.pdf(x) * (a.logpdf(x) - np.logaddexp(a.logpdf(x), b.logpdf(x)) + math.log(2))

        # Where a has its mass: the rest is below 1e-15.
        low, high = a.mean() - 9 * a.std(), a.mean() + 9 * a.std()
        return integrate.quad(integrand, low, high, limit=200, epsabs=1e-12)[0]

    ours = jensen_shannon(normal(*pair[:2]), normal(*pair[2:]), X).item()
    assert ours == pytest.approx((half(p, q) + half(q, p)) / 2, abs=1e-9)


def test_jensen_shannon_of_equal_and_disjoint_densities():
    p, far = normal(4, 1), normal(-12, 0.2)
    assert jensen_shannon(p, p, X).item() == pytest.approx(0, abs=1e-15)
    assert jensen_shannon(p, far, X).item() == pytest.approx(math.log(2), abs=1e-6)
    assert value(torch.full_like(X, 0.5), p, p, X).item() == pytest.approx(EQUILIBRIUM, abs=1e-9)


def test_optimal_discriminator_of_two_gaussians_is_a_logistic_curve():
    """For equal deviations, log p/q is linear in x."""
    d = optimal_discriminator(normal(4, 1), normal(2, 1))
    shown = (X > -5) & (X < 10)
    assert torch.allclose(d[shown], (2 * (X[shown] - 3)).sigmoid(), atol=1e-12)
    assert optimal_discriminator(torch.zeros(1), torch.zeros(1)).tolist() == [0.5]


def test_value_is_finite_for_a_certain_and_wrong_d():
    p = normal(0, 1)
    assert value(torch.ones_like(X), p, p, X).item() == pytest.approx(math.log(2**-52), abs=1e-6)
    nowhere = torch.zeros_like(p)
    assert value(torch.ones_like(X), p, nowhere, X).item() == pytest.approx(0, abs=1e-15)  # 0 · log 0 = 0


EDGES = torch.linspace(-8, 16, 2401, dtype=torch.float64)
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2


@pytest.mark.parametrize(("a", "b"), [(1.25, 4), (-1.25, 4), (0.3, 0)])
def test_push_forward_of_a_normal_by_an_affine_map_is_normal(a, b):
    z, mass = Gaussian(1).cells(4000)
    density = push_forward(a * z + b, mass, EDGES)
    assert torch.allclose(density, normal(b, abs(a), CENTRES), atol=2e-4)
    assert (density * EDGES.diff()).sum().item() == pytest.approx(1, abs=1e-12)


def test_push_forward_by_the_absolute_value_is_a_folded_normal():
    z, mass = Gaussian(1).cells(4001)  # an odd number: the middle cell lies astride the fold
    density = push_forward(z.abs(), mass, EDGES)
    expected = torch.where(CENTRES > 0, 2 * normal(0, 1, CENTRES), 0.0)
    away = (CENTRES.abs() > 0.02) & (CENTRES < 6)
    assert torch.allclose(density[away], expected[away], atol=5e-4)
    assert density[CENTRES < 0].sum() == 0
    assert (density * EDGES.diff()).sum().item() == pytest.approx(1, abs=1e-12)


def test_push_forward_by_a_linear_map_and_by_a_constant():
    z, mass = Uniform(1).cells(100)
    density = push_forward(2 * z, mass, EDGES)
    reach = 2 * math.sqrt(3)
    assert density[(CENTRES.abs() < reach - 0.01)].allclose(torch.tensor(1 / (2 * reach), dtype=torch.float64))
    assert density[(CENTRES.abs() > reach + 0.01)].abs().max() < 1e-12
    point = push_forward(torch.full_like(z, 4.003), mass, EDGES) * EDGES.diff()
    assert point.max().item() == pytest.approx(1)
    assert CENTRES[point.argmax()].item() == pytest.approx(4.005)
    assert point.sum().item() == pytest.approx(1)


def test_mass_outside_the_bins_is_dropped():
    z, mass = Uniform(1).cells(10)
    half = push_forward(z, mass, torch.tensor([0.0, 1.0, 5.0]))
    assert (half * torch.tensor([1.0, 4.0])).sum().item() == pytest.approx(0.5)


def test_report_of_the_optimal_d_and_of_a_constant_d():
    p, q = normal(4, 1.25), normal(2, 1)
    best = report(optimal_discriminator(p, q), p, q, X)
    assert (best.mean_gap, best.largest_gap) == (0, 0)
    assert best.value == best.optimal_value == pytest.approx(best.from_divergence, abs=1e-9)
    assert best.mean_d == pytest.approx(0.5, abs=1e-9)
    constant = report(torch.full_like(X, 0.5), p, q, X)
    assert constant.value == pytest.approx(EQUILIBRIUM, abs=1e-9)
    # E |½ - D*| under the mixture is half the total variation: ∫ |p - q| / 4, by scipy.
    expected = integrate.quad(lambda x: abs(stats.norm(4, 1.25).pdf(x) - stats.norm(2, 1).pdf(x)) / 4, -6, 14)[0]
    assert constant.mean_gap == pytest.approx(expected, abs=1e-6)
    assert constant.largest_gap == pytest.approx(0.5, abs=0.02)
    assert constant.largest_gap > constant.mean_gap
