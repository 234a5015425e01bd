"""Energies: EBGAN's margin and pulling-away term, BEGAN's balance."""

import pytest
import torch

from gan.core.batch import Batch, Output
from gan.losses.base import Pair
from gan.losses.energy import BoundaryEquilibrium, EnergyBased, pulling_away


def pair(real, fake, codes=None):
    """A pair with these energies."""
    fake = torch.as_tensor(fake)
    return Pair(
        lambda batch: Output(logits=-batch.images, features=codes),
        Batch(images=torch.as_tensor(real)),
        Batch(images=fake),
    )


def test_samples_beyond_the_margin_do_not_count():
    real, fake = torch.tensor([1.0, 3.0], requires_grad=True), torch.tensor([0.5, 4.0], requires_grad=True)
    loss = EnergyBased(margin=2.0, pull=0.0)
    value = loss.discriminator(pair(real, fake))
    assert value.item() == pytest.approx(2 + 1.5 / 2)
    value.backward()
    assert real.grad.tolist() == [0.5, 0.5]
    assert fake.grad.tolist() == [-0.5, 0]
    assert loss.generator(pair(real, fake)).item() == pytest.approx(2.25)


def test_pulling_away_is_the_mean_squared_cosine_of_different_rows():
    codes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert pulling_away(codes).item() == pytest.approx(1 / 3)
    assert pulling_away(codes * torch.tensor([[2.0], [0.5], [9.0]])).item() == pytest.approx(1 / 3)
    assert pulling_away(torch.ones(4, 3)).item() == pytest.approx(1)
    assert pulling_away(torch.ones(1, 3)).item() == 0


def test_pulling_away_turns_equal_codes_apart():
    codes = torch.tensor([[1.0, 0.1], [1.0, -0.1]], requires_grad=True)
    pulling_away(codes).backward()
    assert codes.grad[0, 1] < 0 < codes.grad[1, 1]  # descending, their second coordinates grow apart


def test_generator_gets_the_pulling_away_term():
    codes = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    value = EnergyBased(margin=1.0, pull=0.1).generator(pair([0.0, 0.0], [0.3, 0.5], codes))
    assert value.item() == pytest.approx(0.4 + 0.1)


def test_k_follows_the_balance_and_stays_in_the_unit_interval():
    loss = BoundaryEquilibrium(balance=0.5, rate=0.1)
    given = pair([2.0, 4.0], [1.0, 0.0])
    assert loss.discriminator(given).item() == pytest.approx(3)  # k = 0
    loss.update_state(given)
    assert loss.k.item() == pytest.approx(0.1 * (0.5 * 3 - 0.5))
    assert loss.discriminator(given).item() == pytest.approx(3 - 0.1 * 0.5)
    report = loss.report(given)
    assert report["convergence"].item() == pytest.approx(3 + 1)
    assert report["k"].item() == pytest.approx(0.1)
    loss.update_state(pair([0.0], [100.0]))
    assert loss.k.item() == 0
    for _ in range(20):
        loss.update_state(pair([9.0], [0.0]))
    assert loss.k.item() == 1
    assert "k" in loss.state_dict()


def test_generator_lowers_the_energy_of_samples_only():
    real, fake = torch.tensor([1.0], requires_grad=True), torch.tensor([2.0, 4.0], requires_grad=True)
    BoundaryEquilibrium().generator(pair(real, fake)).backward()
    assert real.grad is None
    assert fake.grad.tolist() == [0.5, 0.5]
