"""The Parzen-window estimate against a loop with the formula, and against a closed form."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from gan.core.images import scale
from gan.data.digits import Digits
from gan.data.mnist import MNIST
from gan.metrics import distances, parzen
from gan.metrics.base import Case
from gan.metrics.parzen import Parzen, estimate, log_density
from tests.metrics.cases import points

SIGMAS = torch.logspace(-1, 0, 10, dtype=torch.float64)


def brute_force(samples, points, sigma):
    """log 1/N Σ_i N(x; s_i, σ² I), point by point from differences, in numpy's float64."""
    samples, points = (t.flatten(1).double().numpy() for t in (samples, points))
    norm = math.log(len(samples)) + samples.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))
    return np.array([logsumexp(-((x - samples) ** 2).sum(1) / (2 * sigma**2)) - norm for x in points])


def test_estimate_equals_brute_force_on_digits():
    data = Digits(batch_size=64, image_size=8, channels=1, classes=10, seed=1)
    data.setup()
    train, valid, test = (scale(data.splits[name].images) for name in ("train", "valid", "test"))
    curve = [brute_force(train, valid, float(sigma)).mean() for sigma in SIGMAS]
    best = int(np.argmax(curve))
    expected = brute_force(train, test, float(SIGMAS[best]))
    found = estimate(train, valid, test, SIGMAS.tolist())
    assert found.sigma == pytest.approx(float(SIGMAS[best]))
    assert found.mean == pytest.approx(expected.mean(), abs=1e-6)
    assert found.standard_error == pytest.approx(expected.std(ddof=1) / math.sqrt(200), abs=1e-6)
    assert np.allclose(log_density(train, valid, SIGMAS).mean(1), curve, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_log_density_equals_brute_force_on_mnist(mnist_root):
    data = MNIST(root=mnist_root, batch_size=64, image_size=28, channels=1, classes=10, seed=1)
    data.setup()
    samples, points = scale(data.splits["train"].images[:10_000]), scale(data.splits["test"].images[:60])
    for sigma in (0.1, 0.1668):
        found = log_density(samples, points, torch.tensor([sigma]))[0]
        assert np.abs(found.numpy() - brute_force(samples, points, sigma)).max() < 1e-3


def test_log_density_of_normal_samples_by_the_closed_form():
    """With very many samples of N(0, 1), the Parzen density is that of N(0, 1 + σ²)."""
    samples = torch.distributions.Normal(0, 1).icdf((torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000)
    x = torch.tensor([[-1.5], [0.0], [0.7]], dtype=torch.float64)
    for sigma in (0.3, 1.0):
        expected = torch.distributions.Normal(0, math.sqrt(1 + sigma**2)).log_prob(x[:, 0])
        found = log_density(samples[:, None], x, torch.tensor([sigma]))[0]
        assert torch.allclose(found, expected, atol=1e-4)


def test_log_density_does_not_depend_on_the_tile(monkeypatch):
    samples, points = torch.rand(50, 1, 4, 4), torch.rand(33, 1, 4, 4)
    whole = log_density(samples, points, SIGMAS)
    # Five points at a time, three at the end.
    monkeypatch.setattr(parzen, "squared_distances", lambda a, b: distances.squared_distances(a, b, tile=250))
    assert torch.allclose(whole, log_density(samples, points, SIGMAS), rtol=0, atol=1e-9)


def test_far_points_do_not_underflow():
    found = log_density(torch.zeros(3, 784), torch.ones(1, 784), torch.tensor([0.01], dtype=torch.float64))
    expected = -784 / (2 * 0.01**2) - 784 * math.log(0.01 * math.sqrt(2 * math.pi))
    assert float(found) == pytest.approx(expected, rel=1e-12)


def test_sigma_is_chosen_on_validation_images_only():
    generator = torch.Generator().manual_seed(0)
    samples = torch.rand(400, 2, generator=generator)
    near, far = samples[:100] + 0.01, samples[:100] + 0.7
    narrow, wide = estimate(samples, near, far, SIGMAS.tolist()), estimate(samples, far, near, SIGMAS.tolist())
    assert narrow.sigma < wide.sigma
    assert narrow.on_grid_edge
    assert not wide.on_grid_edge


def measure(samples, folds, **arguments):
    """The metric's score of rows (N, F) for folds of rows."""
    seen = [{name: points(rows) for name, rows in fold.items()} for fold in folds]
    unseen = points(samples[:0])
    (found,) = Parzen(**arguments)(Case(points(samples), unseen, unseen, unseen, seen))
    return found


def test_score_falls_with_collapse_noise_and_shift():
    """Collapsed, noisy and shifted samples score lower than new samples of the data."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.rand(20, 16, generator=generator)

    def draw(count, modes=20):
        rows = torch.randint(modes, (count,), generator=generator)
        return centres[rows] + 0.05 * torch.randn(count, 16, generator=generator)

    fold = {"valid": draw(300), "test": draw(300)}
    good = measure(draw(1000), [fold]).value
    assert good > measure(draw(1000, modes=10), [fold]).value + 1
    assert good > measure(draw(1000) + 0.2, [fold]).value + 1
    assert good > measure(draw(1000) + 0.3 * torch.randn(1000, 16, generator=generator), [fold]).value + 1
    assert Parzen.better == "higher"


def test_score_is_the_mean_over_folds_with_its_error():
    generator = torch.Generator().manual_seed(0)
    samples = torch.rand(50, 4, generator=generator)
    folds = [{n: torch.rand(20, 4, generator=generator) for n in ("valid", "test")} for _ in range(5)]
    values = [measure(samples, [fold]).value for fold in folds]
    found = measure(samples, folds)
    assert found.value == pytest.approx(np.mean(values))
    assert found.standard_error == pytest.approx(np.std(values, ddof=1) / math.sqrt(5))
    assert found.details["standard_error_over"] == "folds"
    assert len(found.found["sigma"]) == 5


def test_error_of_one_fold_is_over_test_images():
    samples, fold = torch.rand(50, 4), {"valid": torch.rand(20, 4), "test": torch.rand(30, 4)}
    found = measure(samples, [fold], sigmas=3, low=-2, high=1)
    assert found.details["standard_error_over"] == "test images"
    assert found.details["sigma_grid"] == pytest.approx([0.01, math.sqrt(0.1), 10], abs=1e-6)
    assert (found.details["validation_images"], found.details["test_images"]) == ([20], [30])
    assert (found.name, found.unit) == ("parzen_log_likelihood", "nats")
    expected = estimate(samples, fold["valid"], fold["test"], [0.01, math.sqrt(0.1), 10])
    assert (found.value, found.standard_error) == pytest.approx((expected.mean, expected.standard_error))
    assert found.found == {"sigma": pytest.approx([expected.sigma]), "sigma_on_grid_edge": expected.on_grid_edge}


@pytest.mark.parametrize("arguments", [{"sigmas": 0}, {"low": 1.0, "high": 0.0}])
def test_invalid_sigma_grids_are_refused(arguments):
    with pytest.raises(ValueError, match=r"(sigmas must be a whole number of at least 1|low must be at most high)"):
        Parzen(**arguments)
