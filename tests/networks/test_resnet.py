"""Residual networks: where they start, sizes, ranges, gradients, and SNGAN's number of weights."""

import math

import pytest
import torch
from torch import nn

from gan.core.checks import ArgumentError
from gan.networks import resnet, sngan
from gan.networks.normalization import Batch, Group, Instance, Layer, Normalization, Spectral
from gan.networks.resnet import Block

NORMALIZATIONS = {
    "none": Normalization(),
    "batch": Batch(),
    "layer": Layer(),
    "instance": Instance(),
    "group": Group(2),
    "spectral": Spectral(),
}
FAMILIES = [resnet, sngan]
SIZES = [4, 7, 8, 28, 32]


def pair(family, shape, normalization, width=4, **options):
    torch.manual_seed(0)
    chosen = NORMALIZATIONS[normalization]
    generator = family.Generator(10, shape, chosen, width=width, **options)
    return generator, family.Discriminator(shape, chosen, width=width, **options)


def blocks(network):
    return [m for m in network.modules() if isinstance(m, Block)]


def convolutions(block):
    return [m for m in block.residual if isinstance(m, nn.Conv2d)]


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_weights_of_sngan():
    """As Miyato et al. 2018, table 4: a block has two 3×3 convolutions and one of 1×1, all with biases."""
    generator = sngan.Generator(128, (3, 32, 32), Batch())
    block = 2 * (9 * 256 * 256 + 256) + 256 * 256 + 256 + 2 * 2 * 256
    assert count(generator) == 129 * 16 * 256 + 3 * block + 2 * 256 + 9 * 256 * 3 + 3 == 4_276_739
    discriminator = sngan.Discriminator((3, 32, 32), Spectral())
    whole = 9 * 128 * 128 + 128
    first, second = 9 * 3 * 128 + 128 + whole + 3 * 128 + 128, 2 * whole + 128 * 128 + 128
    assert count(discriminator) == first + second + 2 * 2 * whole + 129 == 1_053_825
    weighted = [m for m in discriminator.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert len(weighted) == 11
    assert all(hasattr(m, "parametrizations") for m in weighted)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("size", "channels"), [*((size, 1) for size in SIZES), (32, 3), (64, 3)])
def test_shapes_ranges_and_gradients(family, size, channels):
    generator, discriminator = pair(family, (channels, size, size), "none")
    for network in (generator, discriminator):
        for block in blocks(network):  # those that start at 0 would let no gradient through to those before
            nn.init.normal_(convolutions(block)[-1].weight, std=0.1)
    images = generator(100 * torch.randn(3, 10))
    assert images.shape == (3, channels, size, size)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    scores = discriminator.score(generator(torch.randn(3, 10)))
    assert scores.shape == (3,)
    scores.square().sum().backward()
    for network in (generator, discriminator):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_only_batch_normalization_mixes_examples(family, normalization):
    generator, discriminator = pair(family, (1, 8, 8), normalization)
    z, images = torch.randn(4, 10), torch.rand(4, 1, 8, 8)
    others, other_images = z.clone(), images.clone()
    others[1:], other_images[1:] = torch.randn(3, 10), torch.rand(3, 1, 8, 8)
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
def test_a_gradient_penalty_is_finite(family, normalization):
    _, discriminator = pair(family, (1, 8, 8), normalization)
    x = torch.rand(2, 1, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator.score(x).sum(), x, create_graph=True)
    assert gradient.abs().sum() > 0
    gradient.square().sum().backward()
    grads = [p.grad for p in discriminator.parameters() if p.grad is not None]
    assert all(g.isfinite().all() for g in grads)
    assert sum(bool(g.abs().sum() > 0) for g in grads) >= 3


def test_blocks_start_as_their_shortcuts():
    for network in pair(resnet, (1, 28, 28), "none", width=64):
        assert len(blocks(network)) == 3
        for block in blocks(network):
            first, last = convolutions(block)
            # He et al. 2015 for slope .2, divided by √3 for three blocks
            expected = math.sqrt(2 / (1 + 0.2**2) / (9 * 64)) / math.sqrt(3)
            assert first.weight.std().item() == pytest.approx(expected, rel=0.02)
            assert last.weight.eq(0).all()
            assert first.bias.eq(0).all()
            assert last.bias.eq(0).all()
    x = torch.rand(2, 64, 8, 8)
    assert torch.equal(block(x), block.shortcut(x))


def test_blocks_with_spectral_normalization_do_not_start_at_zero():
    """0 divided by its largest singular value is no number."""
    for network in pair(resnet, (1, 8, 8), "spectral"):
        for parameter in network.parameters():
            assert parameter.dim() == 1 or parameter.abs().sum() > 0
    assert network.score(torch.rand(2, 1, 8, 8)).isfinite().all()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_blocks_at_each_side(number):
    generator, discriminator = pair(resnet, (1, 16, 16), "none", blocks=number)
    assert len(blocks(generator)) == len(blocks(discriminator)) == 3 * number
    sides = []
    for network in (generator, discriminator):
        for block in blocks(network):
            block.register_forward_hook(lambda block, inputs, output: sides.append(output.shape[-1]))
    discriminator.score(generator(torch.randn(2, 10)))
    up, down = sides[: 3 * number], sides[3 * number :]
    assert up == [4] * number + [8] * number + [16] * number
    # A block's output: the last one at each side but the smallest has halved it already.
    assert down == [16] * (number - 1) + [8] * number + [4] * (number + 1)


def test_sngans_discriminator_halves_to_8():
    sides = []
    discriminator = sngan.Discriminator((3, 32, 32), Spectral(), width=4)
    for block in blocks(discriminator):
        block.register_forward_hook(lambda block, inputs, output: sides.append(output.shape[-1]))
    x = torch.rand(2, 3, 32, 32)
    discriminator.score(x)
    assert sides == [16, 8, 8, 8]
    discriminator.eval()
    features = discriminator.blocks(2 * x - 1)
    weight, bias = discriminator.dense.weight[0], discriminator.dense.bias
    assert torch.allclose(discriminator.score(x), torch.einsum("bchw,c->b", features, weight) + bias, atol=1e-5)


def test_a_block_is_the_sum_of_both_branches_at_full_resolution():
    torch.manual_seed(0)
    first, last, shortcut = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(2, 3, 1)
    x = torch.rand(2, 2, 4, 4) - 0.5
    options = {"normalization": Normalization(), "activation": nn.ReLU(), "shortcut": shortcut}
    up = Block(first, last, up=nn.Upsample(scale_factor=2, mode="nearest"), **options)
    doubled = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(up(x), shortcut(doubled) + last(first(doubled.relu()).relu()), atol=1e-6)
    down = Block(first, last, down=nn.AvgPool2d(2), **options)
    whole = shortcut(x) + last(first(x.relu()).relu())
    assert torch.allclose(down(x), whole.unflatten(3, (2, 2)).unflatten(2, (2, 2)).mean((3, 5)), atol=1e-6)
    plain = Block(first, last, activated=False, **options)
    assert torch.allclose(plain(x), shortcut(x) + last(first(x).relu()), atol=1e-6)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_upsampling_is_chosen(mode):
    modes = {m.mode for m in resnet.Generator(10, (1, 8, 8), upsampling=mode).modules() if isinstance(m, nn.Upsample)}
    assert modes == {mode}


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_that_do_not_fit_name_those_that_do(family):
    for make in (lambda shape: family.Generator(10, shape), lambda shape: family.Discriminator(shape)):
        with pytest.raises(ArgumentError) as error:
            make((1, 30, 30))
        sides = "4, 8, 16, 32, 64, … or 7, 14, 28, 56, …"
        assert str(error.value) == f"image_shape[1] must be {sides}, got 30."
