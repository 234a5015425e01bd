"""Maxout and dropout against their formulas."""

import pytest
import torch

from gan.core.errors import UserError
from gan.methods.tricks import FastDropout, random_bits
from gan.networks.layers import Dropout, Maxout, leaky_relu, uniform_linear

BOTH = pytest.mark.parametrize("kind", [Dropout, FastDropout])


def test_maxout_is_the_maximum_of_its_pieces():
    layer = Maxout(in_features=6, units=4, pieces=3, init_range=0.5)
    x = torch.randn(7, 6)
    weight, bias = layer.linear.weight.view(3, 4, 6), torch.randn(3, 4)
    layer.linear.bias.data = bias.flatten()
    expected = torch.empty(7, 4)
    for n in range(7):
        for j in range(4):
            expected[n, j] = max((weight[i, j] @ x[n] + bias[i, j]).item() for i in range(3))
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_uniform_linear_fills_its_initial_range():
    layer = uniform_linear(200, 300, 0.005)
    assert layer.bias.eq(0).all()
    assert -0.005 <= layer.weight.min() < -0.00499
    assert 0.00499 < layer.weight.max() <= 0.005


@BOTH
def test_dropout_keeps_the_mean_and_drops_with_probability_p(kind):
    torch.manual_seed(0)
    y = kind(0.3)(torch.ones(1000, 100))
    assert y.eq(0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert y.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.allclose(y[y > 0], torch.tensor(1 / 0.7))


@pytest.mark.parametrize(("p", "bits"), [(0.3, torch.int16), (0.25, torch.int8)])
def test_dropout_decisions_are_independent(p, bits):
    """Four or eight decisions come from each random number; they must be independent."""
    torch.manual_seed(0)
    dropout = FastDropout(p)
    assert dropout.bits == bits
    kept = dropout(torch.ones(40_000, 8)).ne(0).double()
    assert kept.mean(0).tolist() == pytest.approx([1 - p] * 8, abs=0.01)
    correlation = torch.corrcoef(kept.T) - torch.eye(8)
    assert correlation.abs().max() < 0.02


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3, 5), (1, 1), (2, 3, 5, 7)])
def test_dropout_works_for_any_shape_and_dtype(shape, dtype, kind):
    torch.manual_seed(0)
    y = torch.stack([kind(0.5)(torch.ones(shape, dtype=dtype)) for _ in range(200)])
    assert (y.shape[1:], y.dtype) == (shape, dtype)
    assert y.unique().tolist() == [0, 2]
    assert (y.ne(0).double().mean(0) - 0.5).abs().max() < 0.2


@pytest.mark.parametrize(("dtype", "half"), [(torch.int8, 2**7), (torch.int16, 2**15)])
def test_random_bits_fill_their_range_on_every_device(dtype, half):
    torch.manual_seed(0)
    bits = random_bits((300, 1000), dtype, torch.device("cpu")).double()
    assert bits.min() < -0.99 * half
    assert bits.max() > 0.99 * half - 1
    assert bits.mean().abs() < 0.01 * half
    elsewhere = random_bits((3, 5), dtype, torch.device("meta"))  # neither a CPU nor CUDA
    assert (elsewhere.shape, elsewhere.dtype) == ((3, 5), dtype)


def test_dropout_with_extreme_probabilities():
    torch.manual_seed(0)
    x = torch.ones(300, 1000)
    assert torch.equal(FastDropout(1e-6)(x), x)  # less than half of a 65,536th
    largest = FastDropout(0.9999999)(x)
    assert largest.isfinite().all()
    assert 0 < largest.ne(0).sum() < 30


@BOTH
def test_dropout_gradient_uses_the_same_mask(kind):
    x = torch.randn(64, 33, requires_grad=True)
    y = kind(0.2)(x)
    y.sum().backward()
    assert torch.allclose(x.grad * x, y)
    assert x.grad.unique().tolist() == pytest.approx([0, 1 / 0.8], rel=1e-5)  # p is rounded to 65,536ths


def test_dropout_is_off_in_eval_mode():
    x = torch.randn(4, 4)
    assert torch.equal(Dropout(0.5).eval()(x), x)


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_dropout_probability_out_of_range_is_refused(p):
    with pytest.raises(ValueError, match="dropout must be a number of at least 0 and"):
        Dropout(p)


@pytest.mark.parametrize("slope", [-0.1, float("nan"), None])
def test_slope_without_a_gradient_is_refused(slope):
    with pytest.raises(UserError, match="slope must be a number of at least 0"):
        leaky_relu(slope)


def test_leaky_relu_multiplies_negative_inputs_by_the_slope():
    x = torch.tensor([-2.0, 3.0])
    assert leaky_relu(0.5, inplace=False)(x).tolist() == [-1.0, 3.0]
    assert leaky_relu(0.5)(x) is x
