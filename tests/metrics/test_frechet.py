"""The Fréchet distance against closed forms and another algorithm for the matrix square root."""

import numpy as np
import pytest
import torch
from scipy.linalg import eigh

from gan.metrics.frechet import Frechet, frechet_distance
from tests.metrics.cases import case, points


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def root(matrix):
    values, vectors = eigh(matrix)
    return vectors * np.sqrt(values.clip(0)) @ vectors.T


def by_symmetric_roots(a, b):
    """Tr (Σ_a Σ_b)^½ = Tr (Σ_a^½ Σ_b Σ_a^½)^½, a root of a symmetric matrix."""
    a, b = a.double().numpy(), b.double().numpy()
    covariance_a, covariance_b = np.cov(a.T), np.cov(b.T)
    cross = np.trace(root(root(covariance_a) @ covariance_b @ root(covariance_a)))
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross


@pytest.mark.parametrize("rows", [200, 12])  # with 12 rows the covariances have no full rank
def test_distance_equals_the_formula(rows):
    a, b = draw(rows, 20) @ draw(20, 20, seed=2), 1 + draw(rows + 9, 20, seed=3) @ draw(20, 20, seed=4)
    assert frechet_distance(a, b) == pytest.approx(by_symmetric_roots(a, b), rel=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)


def test_distance_of_shifted_features_is_the_squared_shift():
    a = draw(100, 5)
    assert frechet_distance(a, a + torch.tensor([3.0, 0, 0, 4.0, 0])) == pytest.approx(25, rel=1e-5)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_distance_of_scaled_features_by_the_closed_form():
    a = draw(100, 5).double()
    a = a - a.mean(0)
    assert frechet_distance(a, 3 * a) == pytest.approx(4 * a.var(0).sum().item())


def test_distance_of_constant_features_by_the_closed_form():
    a = draw(100, 5).double()
    alike = torch.full((40, 5), 0.7, dtype=torch.float64)
    assert frechet_distance(alike, a) == pytest.approx(((0.7 - a.mean(0)).square() + a.var(0)).sum().item())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_feature_that_is_not_finite_is_refused(value):
    """LAPACK's eigenvalues of such a matrix end the process."""
    a = draw(40, 5)
    strange = a.clone()
    strange[3, 2] = value
    for pair in ((strange, a), (a, strange)):
        with pytest.raises(ValueError, match="the features hold NaN or infinite values"):
            frechet_distance(*pair)


def test_distance_grows_with_noise_collapse_and_shift():
    """Noise, collapse and a shift all raise it."""
    test = points(draw(500, 8))
    good = draw(500, 8, seed=1)
    worse = [good + draw(500, 8, seed=2), good[:5].repeat(100, 1), good + 0.3]
    (floor,) = Frechet()(case(points(good), test))
    assert (floor.name, floor.details) == ("frechet_distance", {"test_images": 500})
    assert floor.value == pytest.approx(frechet_distance(good, draw(500, 8)))
    assert all(Frechet()(case(points(samples), test))[0].value > floor.value + 0.3 for samples in worse)
    assert Frechet.better == "lower"
