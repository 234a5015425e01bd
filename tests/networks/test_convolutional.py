"""DCGAN, the textbook's and InfoGAN's: weights, sizes, ranges, gradients, and who depends on whom."""

import itertools

import pytest
import torch
from torch import nn

from gan.core.checks import ArgumentError
from gan.networks import convolutional, dcgan, dcgan_textbook
from gan.networks.normalization import Batch, Group, Instance, Layer, Normalization, Spectral

NORMALIZATIONS = {
    "none": Normalization(),
    "batch": Batch(),
    "layer": Layer(),
    "instance": Instance(),
    "group": Group(2),
    "spectral": Spectral(),
}
FAMILIES = {dcgan: {"width": 4}, convolutional: {"width": 4, "units": 12}, dcgan_textbook: {"width": 4}}
SIZES = [
    *((dcgan, size) for size in (4, 7, 8, 28, 32, 64)),
    *((convolutional, size) for size in (8, 12, 28, 32)),
    (dcgan_textbook, 28),
]


def pair(family, shape, normalization="batch"):
    torch.manual_seed(0)
    chosen = NORMALIZATIONS[normalization]
    return family.Generator(10, shape, chosen, **FAMILIES[family]), family.Discriminator(
        shape, chosen, **FAMILIES[family]
    )


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("normalization", "expected"), [(Batch(), (312_256, 109_440)), (Instance(), (311_808, 109_056))]
)
def test_weights_of_the_textbook(normalization, expected):
    generator = dcgan_textbook.Generator(100, (1, 28, 28), normalization)
    discriminator = dcgan_textbook.Discriminator((1, 28, 28), normalization)
    assert (count(generator), count(discriminator)) == expected
    convolutions = [m for n in (generator, discriminator) for m in n.modules() if hasattr(m, "kernel_size")]
    assert len(convolutions) == 8
    assert all(layer.bias is None for layer in convolutions)


def test_weights_of_dcgan_are_the_papers():
    """At 64×64, 1024, 512, 256 and 128 channels: kernels of 4×4, two numbers for each normalized channel."""
    shape = (3, 64, 64)
    up = [100, 1024, 512, 256, 128, 3]
    expected = sum(16 * a * b for a, b in itertools.pairwise(up)) + 2 * sum(up[1:-1]) + 3
    assert count(dcgan.Generator(100, shape, Batch())) == expected
    down = [3, 128, 256, 512, 1024, 1]
    expected = sum(16 * a * b for a, b in itertools.pairwise(down)) + 2 * sum(down[2:-1]) + 128 + 1
    assert count(dcgan.Discriminator(shape, Batch())) == expected


def test_weights_of_infogans_mnist_networks():
    generator = convolutional.Generator(74, (1, 28, 28), Batch())
    channels = 7 * 7 * 128
    expected = 74 * 1024 + 1024 * channels + 16 * 128 * 64 + 16 * 64 + 1 + 2 * (1024 + channels + 64)
    assert count(generator) == expected
    discriminator = convolutional.Discriminator((1, 28, 28), Batch())
    expected = 16 * 64 + 64 + 16 * 64 * 128 + channels * 1024 + 1024 + 1 + 2 * (128 + 1024)
    assert count(discriminator) == expected


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("family", "size"), SIZES)
def test_shapes_ranges_and_gradients(family, size, channels):
    generator, discriminator = pair(family, (channels, size, size))
    images = generator(100 * torch.randn(5, 10))
    assert images.shape == (5, channels, size, size)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    scores = discriminator.score(images)
    assert scores.shape == (5,)
    discriminator.score(generator(torch.randn(5, 10))).square().sum().backward()
    for network in (generator, discriminator):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_only_batch_normalization_mixes_examples(family, normalization):
    generator, discriminator = pair(family, (1, 28, 28), normalization)
    z, images = torch.randn(4, 10), torch.rand(4, 1, 28, 28)
    others, other_images = z.clone(), images.clone()
    others[1:], other_images[1:] = torch.randn(3, 10), torch.rand(3, 1, 28, 28)
    if normalization == "spectral":  # each pass in training moves the weights
        generator.eval(), discriminator.eval()
    moved = [
        (generator(z)[0] - generator(others)[0]).abs().max(),
        (discriminator.score(images)[0] - discriminator.score(other_images)[0]).abs(),
    ]
    for network, change in zip((generator, discriminator), moved, strict=True):
        assert network.mixes_batch == (normalization == "batch")
        assert (change > 1e-4) if normalization == "batch" else (change < 1e-5)


@pytest.mark.parametrize("normalization", [name for name in NORMALIZATIONS if name != "batch"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_gradient_penalty_reaches_every_weight(family, normalization):
    _, discriminator = pair(family, (1, 28, 28), normalization)
    x = torch.rand(2, 1, 28, 28, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator.score(x).sum(), x, create_graph=True)
    gradient.square().sum().backward()
    weights = [p for p in discriminator.parameters() if p.dim() > 1]
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in weights)


@pytest.mark.parametrize("family", FAMILIES)
def test_first_and_last_layers_are_normalized_by_their_weights_alone(family):
    for normalization, layers in (("batch", (nn.BatchNorm1d, nn.BatchNorm2d)), ("spectral", ())):
        for network in pair(family, (1, 28, 28), normalization):
            weighted = [m for m in network.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)]
            normalized = [m for m in network.modules() if layers and isinstance(m, layers)]
            edges = 2 if network.__class__.__name__ == "Discriminator" else 1
            assert len(normalized) == (len(weighted) - edges if layers else 0)
            assert all(hasattr(m, "parametrizations") == (normalization == "spectral") for m in weighted)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_normalization_may_be_written_as_null(family):
    left, right = family.Discriminator((1, 28, 28), None), pair(family, (1, 28, 28), "none")[1]
    assert [type(m) for m in left.modules()] == [type(m) for m in right.modules()]


@pytest.mark.parametrize("family", [dcgan, convolutional])
def test_weights_start_as_in_the_paper(family):
    torch.manual_seed(0)
    options = {"units": 128} if family is convolutional else {}
    networks = [
        family.Generator(100, (1, 28, 28), Batch(), width=32, **options),
        family.Discriminator((1, 28, 28), Batch(), width=32, **options),
    ]
    weights = [p for n in networks for p in n.parameters() if p.dim() > 1]
    for weight in weights:
        assert weight.std().item() == pytest.approx(0.02, rel=0.15 if weight.numel() < 1000 else 0.05)
    assert torch.cat([w.flatten() for w in weights]).mean().abs() < 1e-3
    gains = torch.cat(
        [m.weight for n in networks for m in n.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    )
    assert gains.mean().item() == pytest.approx(1, abs=0.01)
    assert gains.std().item() == pytest.approx(0.02, rel=0.3)
    biases = [p for n in networks for name, p in n.named_parameters() if name.endswith("bias")]
    assert all(bias.eq(0).all() for bias in biases)


def test_spectral_weights_start_as_others():
    torch.manual_seed(0)
    layers = dcgan.Discriminator((1, 28, 28), Spectral(), width=32).layers
    assert layers[0].parametrizations.weight.original.std().item() == pytest.approx(0.02, rel=0.15)
    assert torch.linalg.matrix_norm(layers[0].weight.flatten(1), 2).item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_discriminators_see_images_in_minus_one_to_one(family):
    _, discriminator = pair(family, (1, 28, 28))
    discriminator.eval()
    x = torch.rand(3, 1, 28, 28)
    assert torch.allclose(discriminator.score(x), discriminator.layers(2 * x - 1))


def test_the_books_critic_ends_in_a_sigmoid():
    torch.manual_seed(0)
    logits = dcgan_textbook.Discriminator((1, 28, 28), Instance())
    critic = dcgan_textbook.Discriminator((1, 28, 28), Instance(), sigmoid=True)
    critic.load_state_dict(logits.state_dict())
    x = torch.rand(3, 1, 28, 28)
    assert torch.allclose(critic.score(x), logits.score(x).sigmoid())


@pytest.mark.parametrize(
    ("family", "size", "sides"),
    [
        (dcgan, 30, "4, 8, 16, 32, 64, … or 7, 14, 28, 56, …"),
        (dcgan, 1, "4, 8, 16, 32, 64, … or 7, 14, 28, 56, …"),
        (convolutional, 30, "8, 12, 16, 20, 24, 28, …"),
        (convolutional, 4, "8, 12, 16, 20, 24, 28, …"),
        (dcgan_textbook, 32, "28 (model=dcgan takes other sizes)"),
    ],
)
def test_sizes_that_do_not_fit_name_those_that_do(family, size, sides):
    for make in (
        lambda shape: family.Generator(10, shape, Batch()),
        lambda shape: family.Discriminator(shape, Batch()),
    ):
        with pytest.raises(ArgumentError) as error:
            make((1, size, size))
        assert str(error.value) == f"image_shape[1] must be {sides}, got {size}."
        with pytest.raises(ArgumentError, match="got 28×32"):
            make((1, 28, 32))


@pytest.mark.parametrize("family", FAMILIES)
def test_widths_must_be_positive(family):
    with pytest.raises(ArgumentError, match="width must be a whole number of at least 1, got 0"):
        family.Generator(10, (1, 28, 28), Batch(), width=0)
