"""The normal data distribution in one dimension."""

from itertools import islice

import pytest
import torch

from gan.core.errors import UserError
from gan.data.endless import Draws
from gan.data.gaussian import Gaussian
from tests.test_resume import check_resume

COMMON = {"batch_size": 64, "image_size": 1, "channels": 1, "classes": 0, "seed": 1}
SECOND = ["0x1.2cf4da0000000p+2", "0x1.48e09c0000000p+2", "0x1.0cbf440000000p+2"]  # with seed 1


def test_samples_have_the_configured_mean_and_deviation():
    x = Gaussian(**COMMON).draw(100_000, torch.Generator().manual_seed(0)).images
    assert (x.shape, x.dtype) == ((100_000, 1, 1, 1), torch.float32)
    # Six standard errors: 1.25 / sqrt(100,000) = .004, and 1/sqrt(2) of it for the deviation.
    assert x.double().mean().item() == pytest.approx(4.0, abs=0.024)
    assert x.double().std().item() == pytest.approx(1.25, abs=0.017)
    assert (x < 4.0).double().mean().item() == pytest.approx(0.5, abs=0.01)


def test_batches_are_pinned_across_versions():
    """A resumed checkpoint of an older version gets the same batches as before."""
    data = Gaussian(**COMMON)
    second = list(islice(Draws(data.draw, 3, 7, seed=1, position=lambda: 0), 2))[1]
    assert [float(x).hex() for x in second.images.flatten()] == SECOND


def test_density_equals_that_of_torch():
    data = Gaussian(mean=-1.0, deviation=0.5, **COMMON)
    x = torch.linspace(-4, 2, 601, dtype=torch.float64)
    expected = torch.distributions.Normal(-1.0, 0.5).log_prob(x).exp()
    assert torch.allclose(data.density(x), expected, atol=1e-12)
    assert data.density(x).sum().item() * 0.01 == pytest.approx(1, abs=1e-6)
    assert data.density(x.view(1, 601, 1)).shape == (1, 601, 1)


def test_mean_image_epoch_length_and_description():
    data = Gaussian(mean=3.0, batches_per_epoch=30, **COMMON)
    assert data.mean_image().shape == (1, 1, 1)
    assert data.mean_image().item() == 3
    assert [data.batches_per_epoch(world) for world in (1, 2)] == [30, 30]
    assert data.describe() == "Gaussian: endless numbers of mean 3, deviation 1.25"


def test_resumed_run_equals_the_uninterrupted_one(configure, run_training, tmp_path):
    choices = ["data=gaussian", "data.batches_per_epoch=10", "trainer.max_epochs=2", "ema.decay=0"]
    choices += ["callbacks.monitor.every_n_batches=4", "model=mlp"]
    whole = run_training(configure(*choices, folder="whole"))
    assert whole.module.iteration == 20
    check_resume(configure, run_training, tmp_path, choices, whole, stop_at=13)


def test_invalid_options_raise_clear_errors(configure):
    from gan.runs.build import build

    with pytest.raises(ValueError, match="deviation must be a number above 0, got 0"):
        Gaussian(deviation=0, **COMMON)
    with pytest.raises(ValueError, match="channels=1 and image_size=1, got 3 and 1"):
        Gaussian(**COMMON | {"channels": 3})
    with pytest.raises(UserError, match=r"data.batches_per_epoch must be a whole number of at least 1, got 0"):
        build(configure("data=gaussian", "data.batches_per_epoch=0"))
    with pytest.raises(UserError, match=r"data.mean must be a number, got abc"):
        build(configure("data=gaussian", "data.mean=abc"))
