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


def test_hidden_units_start_with_inputs_of_variance_one_despite_the_noise():
    torch.manual_seed(0)
    shape = (1, 40, 40)
    network = noisy_mlp.Discriminator(shape, [900, 800], input_noise=0.4, noise=0.7, pixels=0.2)
    x = torch.rand(500, 1600) * 0.6**0.5  # mean square .2
    for layer in network.layers[:5]:
        x = layer(x)
        if isinstance(layer, torch.nn.Linear):
            assert 0.9 < x.square().mean() < 1.1


def test_lengths_of_hidden_weights_stay_and_their_directions_move():
    torch.manual_seed(0)
    network = noisy_mlp.Discriminator(SHAPE, [12, 7], normalization=Weight())
    before = [layer.weight.detach().clone() for layer in network.layers if isinstance(layer, torch.nn.Linear)]
    optimizer = torch.optim.SGD(network.parameters(), lr=5.0)
    for _ in range(3):
        optimizer.zero_grad()
        network.score(torch.rand(6, *SHAPE)).square().sum().backward()
        optimizer.step()
    after = [layer.weight for layer in network.layers if isinstance(layer, torch.nn.Linear)]
    for old, new in zip(before[:2], after[:2], strict=True):
        assert torch.allclose(new.norm(dim=1), old.norm(dim=1), atol=1e-6)
        assert not torch.allclose(new, old, atol=1e-3)
    assert not torch.allclose(after[2].norm(dim=1), before[2].norm(dim=1), atol=1e-3)
