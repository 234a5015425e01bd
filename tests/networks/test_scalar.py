"""The small networks in one dimension: their initial functions, and outputs without a bound."""

import pytest
import torch

from gan.networks.scalar import Affine, Discriminator, Generator


def test_affine_generator_starts_with_the_given_mean_and_deviation():
    z = torch.randn(20, 1)
    assert torch.allclose(Affine(1, (1, 1, 1), mean=4.0, deviation=1.25)(z).flatten(), 1.25 * z.flatten() + 4)


def test_affine_generator_uses_one_coordinate_for_each_output():
    z = torch.randn(5, 3)
    x = Affine(3, (1, 2, 2), mean=1.0, deviation=2.0)(z).flatten(1)
    assert torch.allclose(x[:, :3], 2 * z + 1)
    assert torch.equal(x[:, 3], torch.ones(5))


def test_mlp_generator_starts_affine_and_can_become_nonlinear():
    torch.manual_seed(0)
    generator, z = Generator(1, (1, 1, 1), [16], mean=4.0, deviation=-2.0), torch.linspace(-1e3, 1e3, 9)[:, None]
    assert torch.equal(generator(z).flatten(), 4 - 2 * z.flatten())
    torch.nn.init.normal_(generator.layers[-1].weight)
    x = generator(z)
    assert x.shape == (9, 1, 1, 1)
    assert x.diff(n=2, dim=0).abs().max() > 1


def test_discriminator_standardizes_its_input():
    torch.manual_seed(0)
    plain, shifted = Discriminator((1, 1, 1), [16], 0.0, 1.0), Discriminator((1, 1, 1), [16], 4.0, 1.25)
    shifted.load_state_dict(plain.state_dict())
    x = torch.randn(7, 1, 1, 1)
    assert plain.score(x).shape == (7,)
    assert torch.allclose(shifted.score(1.25 * x + 4), plain.score(x), atol=1e-6)
    with pytest.raises(ValueError, match="scale must be a number above 0, got 0"):
        Discriminator((1, 1, 1), [16], scale=0)


def test_sharpness_approaches_relu():
    torch.manual_seed(0)
    discriminator = Discriminator((1, 1, 1), [16], 0.0, 1.0, sharpness=1000.0)
    first, _, last = discriminator.layers
    x = torch.randn(50, 1)
    assert torch.allclose(discriminator.score(x.view(50, 1, 1, 1)), last(first(x).relu()).squeeze(1), atol=1e-3)
    with pytest.raises(ValueError, match="sharpness must be a number above 0, got 0"):
        Discriminator((1, 1, 1), [16], sharpness=0)
