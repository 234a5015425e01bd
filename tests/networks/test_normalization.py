"""Normalizations against their formulas, and what spectral normalization has to stand."""

import copy

import pytest
import torch
from torch import nn

from gan.core.checks import ArgumentError
from gan.networks.normalization import Batch, Group, Instance, Layer, Normalization, Spectral, Weight, fixed_length


def standardized(x, dims):
    """Mean 0 and variance 1 over some dimensions, with torch's epsilon."""
    mean, variance = x.mean(dims, keepdim=True), x.var(dims, correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def convolution(channels=6, bias=True):
    torch.manual_seed(0)
    return nn.Conv2d(3, channels, 3, bias=bias)


@pytest.mark.parametrize(
    ("normalization", "dims"),
    [(Batch(), (0, 2, 3)), (Layer(), (1, 2, 3)), (Instance(), (2, 3)), (Instance(affine=True), (2, 3))],
)
def test_outputs_follow_the_formula(normalization, dims):
    layer = convolution()
    plain = copy.deepcopy(layer)
    x = torch.rand(4, 3, 7, 7) * 3
    expected = standardized(plain(x), dims)
    assert torch.allclose(normalization(layer, 6)(x), expected, atol=1e-5)
    assert torch.allclose(normalization.outputs(6)(plain(x)), expected, atol=1e-5)


def test_groups_of_channels_have_their_own_statistics():
    layer = convolution()
    x = torch.rand(4, 3, 7, 7)
    features = layer(x)
    expected = standardized(features.unflatten(1, (3, 2)), (2, 3, 4)).flatten(1, 2)
    assert torch.allclose(Group(3)(layer, 6)(x), expected, atol=1e-5)
    assert torch.allclose(Group(1).outputs(6)(features), Layer().outputs(6)(features))


@pytest.mark.parametrize("normalization", [Batch(), Instance()])
def test_a_bias_without_effect_is_removed(normalization):
    layer = convolution()
    with_bias = copy.deepcopy(layer)
    x = torch.rand(4, 3, 7, 7)
    normalized = normalization(layer, 6)
    assert layer.bias is None
    assert with_bias.bias.abs().min() > 0
    assert torch.allclose(normalized(x), normalization.outputs(6)(with_bias(x)), atol=1e-5)


@pytest.mark.parametrize("normalization", [Normalization(), Layer(), Group(2), Spectral()])
def test_a_bias_with_an_effect_is_kept(normalization):
    layer = convolution()
    normalization(layer, 6)
    assert layer.bias is not None


def test_none_leaves_the_layer_as_it_is():
    layer, x = convolution(), torch.rand(2, 3, 7, 7)
    assert Normalization().weights(layer) is layer
    assert torch.equal(Normalization()(layer, 6)(x), layer(x))


@pytest.mark.parametrize(
    ("normalization", "dims"), [(Batch(), 0), (Layer(), 1), (Normalization(), None), (Instance(), None)]
)
def test_outputs_of_dense_layers(normalization, dims):
    """Without pixels, instance normalization has nothing to average over."""
    torch.manual_seed(0)
    layer, x = nn.Linear(5, 6), torch.randn(8, 5)
    plain = layer(x)
    expected = plain if dims is None else standardized(plain, dims)
    assert torch.allclose(normalization(layer, 6)(x), expected, atol=1e-5)


@pytest.mark.parametrize("groups", [4, 7])
def test_groups_that_do_not_divide_the_channels_are_refused(groups):
    with pytest.raises(ArgumentError, match=r"normalization.groups must divide each layer's channels \(6 in one\)"):
        Group(groups)(convolution(), 6)


def test_arguments_are_checked():
    for make in (lambda: Group(0), lambda: Spectral(0)):
        with pytest.raises(ArgumentError, match="must be a whole number of at least 1, got 0"):
            make()


# Spectral normalization

LAYERS = {
    "dense": (nn.Linear, (5, 6), lambda w: w, (4, 5)),
    "convolution": (nn.Conv2d, (3, 6, 3), lambda w: w.flatten(1), (4, 3, 7, 7)),
    "transposed": (nn.ConvTranspose2d, (3, 6, 3), lambda w: w.transpose(0, 1).flatten(1), (4, 3, 7, 7)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_largest_singular_value_becomes_one(kind):
    make, arguments, matrix, shape = LAYERS[kind]
    torch.manual_seed(0)
    layer = make(*arguments)
    original = layer.weight.detach().clone() * 7
    layer.weight.data.copy_(original)
    layer = Spectral().weights(layer)
    x = torch.rand(shape)
    for _ in range(100):
        layer(x)
    layer.eval()
    assert torch.linalg.matrix_norm(matrix(layer.weight), 2).item() == pytest.approx(1, abs=1e-3)
    exact = original / torch.linalg.matrix_norm(matrix(original), 2)
    assert torch.allclose(layer.weight, exact, atol=1e-3)


def spectral():
    torch.manual_seed(0)
    layer = Spectral()(nn.Conv2d(3, 6, 3), 6)
    network = nn.Sequential(layer, nn.LeakyReLU(0.2), nn.Flatten(), Spectral().weights(nn.Linear(6 * 25, 1)))
    return network, torch.rand(4, 3, 7, 7)


def vectors(network):
    return {name: buffer.clone() for name, buffer in network.named_buffers()}


def test_two_forward_passes_before_one_backward_pass():
    network, x = spectral()
    (network(x).mean() - network(1 - x).mean()).backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
    assert all(p.grad.abs().sum() > 0 for name, p in network.named_parameters() if "original" in name)


def test_each_training_pass_is_one_step_of_the_power_method():
    network, x = spectral()
    network[0][0].parametrizations.weight.original.data.normal_()  # far from the vectors that it began with
    before = vectors(network)
    v = before["0.0.parametrizations.weight.0._v"]
    matrix = network[0][0].parametrizations.weight.original.detach().flatten(1)
    network(x)
    after = vectors(network)
    u = nn.functional.normalize(matrix @ v, dim=0)
    assert torch.allclose(after["0.0.parametrizations.weight.0._u"], u, atol=1e-5)
    assert torch.allclose(
        after["0.0.parametrizations.weight.0._v"], nn.functional.normalize(matrix.T @ u, dim=0), atol=1e-5
    )


def test_evaluation_leaves_the_vectors_as_they_are():
    network, x = spectral()
    network[0][0].parametrizations.weight.original.data.normal_()
    network.eval()
    before = vectors(network)
    first = network(x)
    assert torch.equal(network(x), first)
    assert all(torch.equal(value, before[name]) for name, value in vectors(network).items())


def test_state_resumes():
    network, x = spectral()
    for parameter in network.parameters():
        parameter.data.normal_()
    network(x)
    torch.manual_seed(9)
    other, _ = spectral()
    other.load_state_dict(network.state_dict())
    copied = copy.deepcopy(network)
    expected = network(x)
    assert torch.equal(other(x), expected)
    assert torch.equal(copied(x), expected)


def test_second_derivatives_are_those_of_finite_differences():
    """As a gradient penalty takes them: of the weights, through the gradient at the images."""
    network, x = spectral()
    network = network.double().eval()
    x = x[:2].double().requires_grad_(True)

    def penalty():
        (gradient,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
        return gradient.square().sum()

    weight = network[0][0].parametrizations.weight.original
    (exact,) = torch.autograd.grad(penalty(), weight)
    assert exact.abs().max() > 1e-4
    direction = torch.randn_like(weight)
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            weight += step * direction
        values.append(penalty().item())
        with torch.no_grad():
            weight -= step * direction
    assert (exact * direction).sum().item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5)


def test_the_power_method_is_not_autocast(monkeypatch):
    network, _ = spectral()
    product, seen = torch.mv, []

    def watched(*arguments):
        seen.append(torch.is_autocast_enabled("cpu"))
        return product(*arguments)

    monkeypatch.setattr(torch, "mv", watched)
    with torch.autocast("cpu", torch.bfloat16):
        assert network[0][0].weight.dtype == torch.float32
        assert torch.is_autocast_enabled("cpu")
    assert seen == [False, False, False]


@pytest.mark.parametrize(
    ("normalized", "layer"),
    [(Weight().weights, nn.Linear(5, 3)), (Weight().weights, nn.Conv2d(2, 3, 2)), (fixed_length, nn.Linear(5, 3))],
    ids=["dense", "convolution", "fixed"],
)
def test_weights_of_given_length_and_both_derivatives_are_those_of_the_formula(normalized, layer):
    torch.manual_seed(0)
    layer = normalized(copy.deepcopy(layer).double())
    originals = list(layer.parametrizations.weight.parameters())
    direction, dims = originals[-1], tuple(range(1, layer.weight.dim()))
    length = originals[0] if len(originals) > 1 else layer.weight.detach().square().sum(dims, keepdim=True).sqrt()
    along = [torch.randn_like(original) for original in originals]

    def derivatives(weight):
        first = torch.autograd.grad(weight.square().sum() + weight.pow(3).sum(), originals, create_graph=True)
        second = torch.autograd.grad(sum((f * a).sum() for f, a in zip(first, along, strict=True)), originals)
        return weight, *first, *second

    def once(weight):
        return torch.autograd.grad(weight.square().sum() + weight.pow(3).sum(), originals)

    with torch.no_grad():
        originals[-1].mul_(1.7)  # whose length then differs from that of the weights
    formula = length * direction / direction.square().sum(dims, keepdim=True).sqrt()
    expected = derivatives(formula)
    for ours, value in zip(derivatives(layer.weight), expected, strict=True):
        assert torch.allclose(ours, value, rtol=1e-10, atol=1e-12)
    for ours, value in zip(once(layer.weight), expected[1 : 1 + len(originals)], strict=True):
        assert torch.allclose(ours, value, rtol=1e-10, atol=1e-12)


def test_weights_that_start_at_zero_train_under_weight_normalization():
    torch.manual_seed(0)
    layer = nn.Linear(5, 3)
    nn.init.zeros_(layer.weight)
    layer = Weight().weights(layer)
    assert torch.equal(layer.weight, torch.zeros(3, 5))
    (layer(torch.randn(4, 5)) - 1).square().sum().backward()
    length, direction = layer.parametrizations.weight.parameters()
    assert length.grad.abs().min() > 0
    assert direction.grad.isfinite().all()
