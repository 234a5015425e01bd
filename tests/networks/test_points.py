"""Generator and discriminator for points: ReLU layers, and no bound on the generator's output."""

import torch
import torch.nn.functional as F

from gan.networks.points import Discriminator, Generator


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
