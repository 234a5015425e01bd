"""The paper's larger networks: shapes, initial weights, norm limits, clipping and prepended layers."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from gan.app.prepare import load_trained
from gan.core.errors import UserError
from gan.networks import maxout, paper
from gan.networks.layers import Dense, MaxoutConv2d, sparse_linear


def dense(units, activation, **start):
    return partial(Dense, units=units, activation=activation, **start)


def faces(latent_dim=10, **arguments):
    hidden = [dense(16, nn.ReLU(), init_range=0.05), dense(12, nn.Sigmoid(), init_range=0.05, bias=-2.0)]
    output = partial(Dense, activation=nn.Sigmoid(), nonzero_weights=5, max_norm=1.0)
    return paper.Generator(latent_dim, (1, 4, 4), hidden, output, **arguments)


def deconvolutional():
    layers = [dense(8000, nn.Sigmoid(), init_range=0.05)]
    return paper.DeconvolutionalGenerator(5, (3, 32, 32), layers, 80, 5, 3, 0.05, centre=0.5, spread=0.25)


def test_small_tfd_generator_has_shapes_and_initial_weights():
    generator = faces()
    assert generator(torch.randn(3, 10)).shape == (3, 1, 4, 4)
    assert generator.hidden[1].linear.bias.eq(-2).all()
    weight = generator.output.linear.weight
    assert weight.ne(0).sum(1).eq(5).all()


def test_sparse_weights_are_standard_normal_at_random_inputs():
    torch.manual_seed(0)
    weight = sparse_linear(200, 300, 100).weight
    values = weight[weight != 0]
    assert len(values) == 300 * 100
    assert values.mean().abs() < 0.03
    assert values.std().item() == pytest.approx(1, abs=0.02)
    assert weight.ne(0).float().mean(0).min() > 0.3  # no input is left out more than chance would
    with pytest.raises(ValueError, match=r"nonzero_weights must be a whole number of at least 1 and below 5, got 5"):
        sparse_linear(4, 2, 5)


def test_mean_bias_starts_the_generator_at_the_mean_image():
    mean = torch.rand(1, 4, 4)
    generator = faces(mean_bias=True)
    generator.output.linear.weight.data.zero_()
    generator.adapt_to_data(lambda: mean)
    assert torch.allclose(generator(torch.randn(2, 10)), mean.expand(2, 1, 4, 4), atol=1e-5)


def test_max_norm_shrinks_only_units_above_the_limit():
    layer = Dense(4, 3, nn.Identity(), init_range=0.1, max_norm=1.0)
    layer.linear.weight.data = torch.tensor([[3.0, 4.0, 0, 0], [0.3, 0.4, 0, 0], [0, 0, 0, 0]])
    layer.constrain()
    assert torch.allclose(layer.linear.weight[:, :2], torch.tensor([[0.6, 0.8], [0.3, 0.4], [0, 0]]), atol=1e-6)


@pytest.mark.parametrize("normalize", [parametrizations.spectral_norm, parametrizations.weight_norm])
def test_max_norm_of_a_parametrized_layer_is_refused(normalize):
    layer = Dense(4, 3, nn.Identity(), init_range=5.0, max_norm=0.5)
    normalize(layer.linear)
    with pytest.raises(UserError, match=r"max_norm=0.5 cannot hold .* spectral normalization"):
        layer.constrain()
    layer = Dense(4, 3, nn.Identity(), init_range=5.0)
    normalize(layer.linear)
    layer.constrain()


def test_spectral_norm_bounds_the_norm_of_each_unit():
    """The error message recommends it."""
    layer = Dense(4, 3, nn.Identity(), init_range=5.0)
    parametrizations.spectral_norm(layer.linear, n_power_iterations=50)
    assert layer.linear.weight.norm(dim=1).max() <= 1 + 1e-5


def test_linear_outputs_are_clipped_only_in_eval_mode():
    output = partial(Dense, activation=nn.Identity(), init_range=0.5)
    generator = paper.Generator(10, (1, 4, 4), [dense(50, nn.ReLU(), init_range=1.0)], output, centre=0.5, spread=9.0)
    z = torch.randn(8, 10)
    drawn, used = generator(z), generator.eval()(z)
    assert drawn.min() < 0
    assert drawn.max() > 1
    assert torch.equal(used, drawn.clamp(0, 1))


def test_deconvolution_covers_every_pixel():
    generator = deconvolutional()
    images = generator(torch.randn(2, 5))
    assert images.shape == (2, 3, 32, 32)
    untouched = generator.output(torch.ones(1, 80, 10, 10)).eq(0)
    assert not untouched.any()
    with pytest.raises(
        ValueError, match=r"8000 units as 80 channels of 10×10 become 32×32 pixels, the images have 28×28"
    ):
        paper.DeconvolutionalGenerator(5, (1, 28, 28), [dense(8000, nn.ReLU(), init_range=0.1)], 80, 5, 3, 0.05)


def test_maxout_convolution_is_the_maximum_over_pieces_and_pixels():
    layer = MaxoutConv2d(2, channels=3, pieces=2, kernel=3, padding=1, pool=2, stride=2, init_range=0.5)
    x = torch.randn(2, 2, 5, 5)
    maps = layer.convolution(x)  # (2, 6, 5, 5), pieces apart
    pooled = layer(x)
    assert pooled.shape == (2, 3, 3, 3)  # the last neighbourhood reaches over the border
    for channel in range(3):
        expected = torch.maximum(maps[:, channel], maps[:, 3 + channel])[:, 2:4, 0:2].amax((1, 2))
        assert torch.equal(pooled[:, channel, 1, 0], expected)


def test_convolutional_discriminator_returns_one_logit_per_image():
    layers = [partial(MaxoutConv2d, channels=4, pieces=2, kernel=3, padding=1, pool=4, stride=2, init_range=0.5)] * 2
    discriminator = paper.ConvolutionalDiscriminator((3, 16, 16), layers, 5, 2, 0.1, 0.2, 0.5, centre=0.5, spread=0.25)
    assert discriminator.training
    x = torch.rand(4, 3, 16, 16)
    assert discriminator.score(x).shape == (4,)
    discriminator.eval()
    assert torch.allclose(discriminator.score(x), discriminator.layers((x - 0.5) / 0.25).squeeze(1))


def test_maxout_discriminator_standardizes_pixels():
    discriminator = maxout.Discriminator((1, 2, 2), [3], 2, 0.5, 0.0, 0.0, centre=0.5, spread=0.25)
    x = torch.rand(3, 1, 2, 2)
    assert torch.allclose(discriminator.score(x), discriminator.layers((x.flatten(1) - 0.5) / 0.25).squeeze(1))


def first_stage(path, weights):
    """A checkpoint of a run whose generator has these weights."""
    state = {f"generator.{k}": v for k, v in weights.items()} | {"discriminator.x": torch.zeros(1)}
    torch.save({"iteration": 3, "hyper_parameters": {}, "state_dict": state}, path)
    return str(path)


def test_prepended_layers_feed_the_trained_generator(tmp_path):
    trained = faces(mean_bias=True)
    front = [dense(8, nn.ReLU(), init_range=0.1), dense(10, nn.Sigmoid(), init_range=0.1)]
    path = first_stage(tmp_path / "last.ckpt", trained.state_dict())
    both = paper.Prepended(6, front, faces(mean_bias=True), start_from=path)
    both.adapt_to_data(lambda: torch.rand(1, 4, 4))
    load_trained(both)
    z = torch.randn(5, 6)
    assert torch.equal(both(z), trained(both.front(z)))
    assert all(p.requires_grad for p in both.parameters())


def test_prepended_layers_must_fit(tmp_path):
    with pytest.raises(ValueError, match="the last of layers has 8 units, the generator's noise 10"):
        paper.Prepended(6, [dense(8, nn.ReLU(), init_range=0.1)], faces())
    path = first_stage(tmp_path / "other.ckpt", {"x": torch.zeros(2)})
    both = paper.Prepended(6, [dense(10, nn.ReLU(), init_range=0.1)], faces(), start_from=path)
    with pytest.raises(UserError, match=r"model.generator.start_from=.*other.ckpt holds another generator"):
        load_trained(both)
    missing = paper.Prepended(6, [dense(10, nn.ReLU(), init_range=0.1)], faces(), start_from=str(tmp_path / "no.ckpt"))
    with pytest.raises(UserError, match=r"model.generator.start_from=.*no.ckpt: no such file"):
        load_trained(missing)


def test_dense_layer_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="give one of init_range and nonzero_weights"):
        Dense(3, 4, nn.ReLU())
    with pytest.raises(ValueError, match="max_norm must be a number above 0"):
        Dense(3, 4, nn.ReLU(), init_range=0.1, max_norm=0.0)
