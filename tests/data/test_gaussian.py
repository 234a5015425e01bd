"""Numbers of the stated distribution, the same wherever one starts and however many share them."""

from itertools import islice

import pytest
import torch

from gan.data.gaussian import Draws, Gaussian
from gan.errors import UserError
from tests.test_resume import check_resume

COMMON = {"batch_size": 64, "image_size": 1, "channels": 1, "classes": 0, "seed": 1}


def stream(count, start=0, batch_size=10, seed=1, **kwargs):
    """``count`` minibatches from minibatch ``start`` on."""
    return list(islice(Draws(4.0, 1.25, batch_size, 7, seed, position=lambda: start, **kwargs), count))


def same(a, b):
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_mean_and_deviation_of_many_numbers():
    x = torch.cat(stream(100, batch_size=1000)).double()
    assert x.shape == (100_000, 1, 1, 1)
    assert stream(1)[0].dtype == torch.float32
    # Six standard errors: 1.25 / sqrt(100,000) = .004, and 1/sqrt(2) of it for the deviation.
    assert x.mean().item() == pytest.approx(4.0, abs=0.024)
    assert x.std().item() == pytest.approx(1.25, abs=0.017)
    assert (x < 4.0).double().mean().item() == pytest.approx(0.5, abs=0.01)


def test_every_minibatch_is_another_and_a_function_of_seed_and_number():
    assert len({float(x[0]) for x in stream(50)}) == 50
    assert same(stream(10), stream(10))
    assert not same(stream(10), stream(10, seed=2))


@pytest.mark.parametrize("start", [0, 1, 6, 7, 8, 20])
def test_the_stream_goes_on_from_anywhere(start):
    assert same(stream(25)[start:], stream(25 - start, start=start))


def test_processes_share_the_minibatch_of_their_total_size():
    whole = stream(5, batch_size=20)
    for rank in (0, 1):
        assert same([x[rank::2] for x in whole], stream(5, batch_size=10, rank=rank, world=2))


def test_position_is_asked_when_the_first_minibatch_is():
    position = {"now": 0}
    iterator = iter(Draws(4.0, 1.25, 10, 7, 1, position=lambda: position["now"]))
    position["now"] = 4  # as when a checkpoint is restored after iter()
    assert torch.equal(next(iterator), stream(5)[4])


def test_density_is_that_of_the_normal_distribution():
    data = Gaussian(mean=-1.0, deviation=0.5, **COMMON)
    x = torch.linspace(-4, 2, 601, dtype=torch.float64)
    expected = torch.distributions.Normal(-1.0, 0.5).log_prob(x).exp()
    assert torch.allclose(data.density(x), expected, atol=1e-12)
    assert data.density(x).sum().item() * 0.01 == pytest.approx(1, abs=1e-6)
    assert data.density(x.view(1, 601, 1)).shape == (1, 601, 1)


def test_what_a_run_asks_of_it():
    data = Gaussian(mean=3.0, batches_per_epoch=30, **COMMON)
    assert data.mean_image().shape == (1, 1, 1)
    assert data.mean_image().item() == 3
    assert [data.batches_per_epoch(world) for world in (1, 2)] == [30, 30]
    assert data.describe() == "Gaussian: endless numbers of mean 3, deviation 1.25"


def test_a_run_and_its_resume(configure, play, tmp_path):
    choices = ["data=gaussian", "data.batches_per_epoch=10", "trainer.max_epochs=2", "ema.decay=0"]
    choices += ["callbacks.monitor.every_n_batches=4", "model=mlp"]
    whole = play(configure(*choices, folder="whole"))
    assert whole.module.minibatch == 20
    check_resume(configure, play, tmp_path, choices, whole, stop_at=13)


def test_mistakes_are_named(configure):
    from gan.build import build

    with pytest.raises(ValueError, match="deviation must be positive, got 0"):
        Gaussian(deviation=0, **COMMON)
    with pytest.raises(ValueError, match="channels=1 and image_size=1, got 3 and 1"):
        Gaussian(**COMMON | {"channels": 3})
    with pytest.raises(UserError, match=r"data.batches_per_epoch must be a whole number of at least 1, got 0"):
        build(configure("data=gaussian", "data.batches_per_epoch=0"))
    with pytest.raises(UserError, match=r"data.mean must be a number, got abc"):
        build(configure("data=gaussian", "data.mean=abc"))
