"""Every generator returns images in [0, 1], every discriminator one logit per image."""

import pytest
import torch

from gan.networks import base, maxout, mlp

PAIRS = {
    "mlp": (
        mlp.Generator(10, (3, 8, 8), hidden=[16, 24]),
        mlp.Discriminator((3, 8, 8), hidden=[24, 16], dropout=0.5),
    ),
    "maxout": (
        maxout.Generator(10, (3, 8, 8), hidden=[16, 16], init_range=0.05),
        maxout.Discriminator(
            (3, 8, 8), hidden=[12, 12], pieces=5, init_range=0.005, input_dropout=0.2, hidden_dropout=0.5
        ),
    ),
}


@pytest.mark.parametrize("family", PAIRS)
def test_output_shapes_and_ranges(family):
    generator, discriminator = PAIRS[family]
    images = generator(100 * torch.randn(6, 10))
    assert images.shape == (6, 3, 8, 8)
    assert images.min() >= 0
    assert images.max() <= 1
    assert discriminator.score(images).shape == (6,)


@pytest.mark.parametrize("layer", [torch.nn.BatchNorm1d(4), torch.nn.Sequential(torch.nn.BatchNorm2d(4))])
def test_mixes_batch_detects_batch_normalization(layer):
    class Network(base.Discriminator):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x)

    assert Network(layer).mixes_batch
    assert not Network(torch.nn.LayerNorm(4)).mixes_batch


def test_mlp_has_the_tutorial_architecture():
    generator = mlp.Generator(100, (1, 28, 28), hidden=[256, 512, 1024])
    discriminator = mlp.Discriminator((1, 28, 28), hidden=[1024, 512, 256], dropout=0.5)
    # Σ (n_in + 1) · n_out over 100-256-512-1024-784 and 784-1024-512-256-1
    assert sum(p.numel() for p in generator.parameters()) == 101 * 256 + 257 * 512 + 513 * 1024 + 1025 * 784
    assert sum(p.numel() for p in discriminator.parameters()) == 785 * 1024 + 1025 * 512 + 513 * 256 + 257


def test_mlp_discriminator_scales_images_to_minus_one_to_one():
    discriminator = mlp.Discriminator((1, 2, 2), hidden=[4]).eval()
    x = torch.rand(3, 1, 2, 2)
    assert torch.allclose(discriminator.score(x), discriminator.layers(2 * x.flatten(1) - 1).squeeze(1))


def test_maxout_generator_output_bias_starts_at_the_mean_image():
    generator = maxout.Generator(10, (1, 4, 4), hidden=[16], init_range=0.0)
    mean = torch.rand(1, 4, 4)
    mean[0, 0] = 0  # always black
    generator.adapt_to_data(lambda: mean)
    assert torch.allclose(generator(torch.randn(3, 10)), mean.expand(3, 1, 4, 4), atol=1e-6)


@pytest.mark.parametrize("hidden", [[], [16, 0], [-3], ["a"]])
def test_hidden_widths_must_be_positive(hidden):
    with pytest.raises(ValueError, match="hidden must be a list of positive widths"):
        mlp.Generator(10, (1, 4, 4), hidden=hidden)
