"""The networks of Salimans et al. 2016 against the formulas of the authors' code."""

import torch
from torch.nn.functional import relu, softplus

from gan.networks import noisy_mlp
from gan.networks.normalization import Weight

SHAPE = (1, 4, 4)


def test_generator_normalizes_before_the_softplus():
    torch.manual_seed(0)
    network, z = noisy_mlp.Generator(5, SHAPE, [12, 7]), torch.rand(30, 5)
    x, weights = z, dict(network.named_parameters())
    for layer in (0, 3):
        x = x @ weights[f"layers.{layer}.weight"].T
        x = softplus((x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt())
    last = network.layers[6]
    made = (x @ last.weight.T + last.bias).sigmoid().view(30, *SHAPE)
    assert torch.allclose(network(z), made, atol=1e-5)


def test_discriminator_adds_noise_in_training_only():
    torch.manual_seed(0)
    network, images = noisy_mlp.Discriminator(SHAPE, [12, 7], normalization=Weight()), torch.rand(6, *SHAPE)
    assert not torch.equal(network.score(images), network.score(images))
    network.eval()
    first, second, last = (layer for layer in network.layers if isinstance(layer, torch.nn.Linear))
    features = relu(second(relu(first(images.flatten(1)))))
    assert torch.allclose(network.features(images), features)
    assert torch.allclose(network.score(images), last(features).squeeze(1))
