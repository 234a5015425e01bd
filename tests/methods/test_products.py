"""The matrix product by oneDNN against float64 and against torch.nn.Linear."""

import pytest
import torch
from torch.nn.functional import linear

from gan.methods import products
from gan.methods.products import affine, by_one_dnn
from gan.methods.tricks import FastLinear
from tests.core.test_hardware import XEON, ZEN3, ZEN4

needs_one_dnn = pytest.mark.skipif(
    not (products._HAS_OPERATOR and torch.backends.mkldnn.is_available()), reason="this torch has no oneDNN"
)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine where oneDNN is faster; ``machine(cpu)`` replaces it."""

    def become(cpu):
        monkeypatch.setattr(products, "processor", lambda: cpu)

    become(ZEN4)
    return become


def arguments(batch=128, inputs=300, outputs=200, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shapes = ((batch, inputs), (outputs, inputs), (outputs,))
    return [torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def derivatives(function, x, weight, bias):
    """The value, its three gradients, and the three gradients of ‖∇x‖², as in R1."""
    x, weight, bias = (t.clone().requires_grad_(True) for t in (x, weight, bias))
    y = function(x, weight, bias)
    first = torch.autograd.grad(y.square().sum(), (x, weight, bias), create_graph=True)
    second = torch.autograd.grad(first[0].square().sum(), (x, weight, bias))
    return y, *first, *second


@needs_one_dnn
def test_value_and_two_derivatives_match_float64():
    x, weight, bias = arguments()
    assert by_one_dnn(x, weight)
    ours = derivatives(affine, x, weight, bias)
    exact = derivatives(linear, x.double(), weight.double(), bias.double())
    for value, reference in zip(ours, exact, strict=True):
        assert value.dtype == torch.float32
        difference = (value.double() - reference).abs().max() / reference.abs().max()
        assert difference < 3e-6


@needs_one_dnn
def test_expanded_output_gradient_is_handled():
    """The gradient of a sum is an expanded view of a single 1."""
    x, weight, bias = (t.requires_grad_(True) for t in arguments())
    ours = torch.autograd.grad(affine(x, weight, bias).sum(), (x, weight, bias))
    theirs = torch.autograd.grad(linear(x, weight, bias).sum(), (x, weight, bias))
    for value, reference in zip(ours, theirs, strict=True):
        assert torch.allclose(value, reference, rtol=1e-4, atol=1e-4)


@needs_one_dnn
@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 2)])
def test_only_required_gradients_are_computed(wanted, monkeypatch):
    tensors = arguments()
    for i in wanted:
        tensors[i].requires_grad_(True)
    loss = affine(*tensors).sum()
    count = []
    real = products._times_transposed
    monkeypatch.setattr(products, "_times_transposed", lambda *a: count.append(1) or real(*a))
    loss.backward()
    assert len(count) == len(set(wanted) & {0, 1})
    assert [t.grad is not None for t in tensors] == [i in wanted for i in range(3)]


@needs_one_dnn
@pytest.mark.parametrize("cpu", [ZEN3, XEON])
def test_other_processors_use_the_torch_product(cpu, machine):
    x, weight, bias = arguments()
    assert by_one_dnn(x, weight)
    machine(cpu)
    assert not by_one_dnn(x, weight)
    assert torch.equal(affine(x, weight, bias), linear(x, weight, bias))


def test_torch_without_the_operator_uses_its_own_product(monkeypatch):
    x, weight, bias = arguments()
    monkeypatch.setattr(products, "_HAS_OPERATOR", False)
    assert torch.equal(affine(x, weight, bias), linear(x, weight, bias))


def test_small_matrices_use_the_torch_product():
    x, weight, bias = arguments(batch=4)
    assert not by_one_dnn(x, weight)
    assert torch.equal(affine(x, weight, bias), linear(x, weight, bias))


@pytest.mark.parametrize(
    "change",
    [lambda x, w: (x.double(), w.double()), lambda x, w: (x[None], w), lambda x, w: (x.to("meta"), w.to("meta"))],
    ids=["float64", "three dimensions", "another device"],
)
def test_unsupported_tensors_use_the_torch_product(change):
    x, weight, _ = arguments()
    assert not by_one_dnn(*change(x, weight))


def test_autocast_and_the_mkldnn_switch_are_respected():
    x, weight, bias = arguments()
    with torch.autocast("cpu", torch.bfloat16):
        assert affine(x, weight, bias).dtype == torch.bfloat16
    before, torch.backends.mkldnn.enabled = torch.backends.mkldnn.enabled, False
    try:
        assert not by_one_dnn(x, weight)
    finally:
        torch.backends.mkldnn.enabled = before


def test_fast_linear_has_the_weights_of_torch_linear():
    torch.manual_seed(0)
    ours = FastLinear(300, 200)
    torch.manual_seed(0)
    theirs = torch.nn.Linear(300, 200)
    assert {k: v.tolist() for k, v in ours.state_dict().items()} == {
        k: v.tolist() for k, v in theirs.state_dict().items()
    }
    x = torch.randn(128, 300)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)
