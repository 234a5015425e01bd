"""Generator and discriminator for points: ReLU layers, and no bound on the generator's output."""

import math

import pytest
import torch
import torch.nn.functional as F

from gan.networks.points import Discriminator, FourierDiscriminator, Generator


def by_hand(layers, x):
    """Layers 0, 2 and 4 are linear, with ReLU between them."""
    for index in (0, 2, 4):
        x = F.linear(x, layers[index].weight, layers[index].bias)
        x = x.clamp(min=0) if index < 4 else x
    return x


def test_both_networks_equal_relu_layers_by_hand():
    torch.manual_seed(0)
    generator, discriminator = Generator(3, (2, 1, 1), [16, 8]), Discriminator((2, 1, 1), [16, 8])
    z, x = torch.randn(9, 3), torch.randn(9, 2, 1, 1)
    assert generator(z).shape == (9, 2, 1, 1)
    assert torch.allclose(generator(z).flatten(1), by_hand(generator.layers, z), atol=1e-6)
    assert discriminator.score(x).shape == (9,)
    assert torch.allclose(discriminator.score(x), by_hand(discriminator.layers, x.flatten(1)).squeeze(1), atol=1e-6)


def test_generator_output_is_unbounded():
    torch.manual_seed(0)
    assert Generator(2, (2, 1, 1), [16])(1e4 * torch.randn(50, 2)).abs().max() > 100


def test_fourier_discriminator_sees_the_point_and_its_sines_and_cosines():
    torch.manual_seed(0)
    discriminator = FourierDiscriminator((2, 1, 1), [16, 8], frequencies=5, lowest=0.1, highest=1.6)
    x = 4 * torch.randn(9, 2, 1, 1)
    directions = (discriminator.directions / (2 * math.pi)).T.tolist()
    assert [math.hypot(*b) for b in directions] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6], rel=1e-5)
    rows = []
    for point in x.flatten(1).tolist():
        angles = [2 * math.pi * (b[0] * point[0] + b[1] * point[1]) for b in directions]
        rows.append([*point, *map(math.sin, angles), *map(math.cos, angles)])
    logits = by_hand(discriminator.layers, torch.tensor(rows)).squeeze(1)
    assert torch.allclose(discriminator.score(x), logits, atol=1e-5)
    assert torch.equal(discriminator.logit(discriminator.features(x)), discriminator.score(x))


def test_phases_are_exact_in_half_precision():
    torch.manual_seed(0)
    discriminator, x = FourierDiscriminator((2, 1, 1), [4]), 9 * torch.randn(50, 2, 1, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embedded = discriminator.embed(x)
    assert torch.equal(embedded, discriminator.embed(x))


def test_directions_are_part_of_the_checkpoint_and_are_not_trained():
    discriminator = FourierDiscriminator((2, 1, 1), [4], frequencies=3)
    assert "directions" in discriminator.state_dict()
    assert not discriminator.directions.requires_grad


@pytest.mark.parametrize("wrong", [{"frequencies": 0}, {"lowest": 0.0}, {"highest": -1.0}])
def test_impossible_frequencies_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FourierDiscriminator((2, 1, 1), [4], **wrong)
