"""The latents of InfoGAN: noise, categorical and continuous codes."""

import pytest
import torch

from gan.core.checks import ArgumentError
from gan.core.random import RandomRows
from gan.networks.codes import Codes


def draw(latent, count, **rows):
    return latent.draw(RandomRows(generator=torch.Generator().manual_seed(0), **rows), count)


def test_parts_have_their_distributions():
    z = draw(latent := Codes(20, [10, 3], 2), 60_000)
    noise, ten, three, numbers = latent.split(z)
    assert [part.shape[1] for part in (noise, ten, three, numbers)] == [5, 10, 3, 2]
    for values, part in ((10, ten), (3, three)):
        assert torch.equal(part.sum(1), torch.ones(60_000))
        assert part.mean(0).sub(1 / values).abs().max() < 6 * (1 / values / 60_000) ** 0.5
    for part in (noise, numbers):
        assert part.abs().max() <= 1
        assert part.mean().abs() < 6 * (1 / 3 / part.numel()) ** 0.5
        assert part.var() == pytest.approx(1 / 3, rel=0.02)


def test_two_processes_draw_the_rows_of_one():
    latent = Codes(8, [4], 1)
    whole = draw(latent, 6)
    for rank in (0, 1):
        assert torch.equal(draw(latent, 3, rank=rank, world=2), whole[rank::2])


def test_codes_without_room_for_noise_are_refused():
    with pytest.raises(ArgumentError, match=r"dim must be above 12, the length of the codes, got 12"):
        Codes(12, [10], 2)
    with pytest.raises(ArgumentError, match="categorical must be a whole number of at least 2, got 1"):
        Codes(12, [1], 2)
