"""The least time of one D and one G step on a machine, from its arithmetic and memory rates.

The products of linear and convolutional layers are counted, which are nearly all of the arithmetic, and the bytes
that must at least pass between memory and processor. The machine's rates are measured.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.game import PRECISIONS
from gan.core.batch import Batch
from gan.networks.base import Discriminator

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
FLOAT32 = 4  # bytes

# Work of a step


@dataclass(frozen=True)
class Layer:
    """A layer with the shapes of its input and output.

    Args:
        module: an instance of one of ``LAYERS``.
        seen, made: shapes of input and output, without the batch dimension.
    """

    module: nn.Module
    seen: tuple[int, ...]
    made: tuple[int, ...]

    @property
    def flops(self) -> int:
        """Multiplications and additions of a forward pass of one example; each of the two gradients takes as many."""
        weight = self.module.weight
        if isinstance(self.module, nn.ConvTranspose2d):  # each input pixel is multiplied by each weight of its channel
            return 2 * weight.numel() * math.prod(self.seen[1:])
        return 2 * weight.numel() * math.prod(self.made[1:])


@dataclass(frozen=True)
class Product:
    """One product of a layer: its output or a gradient.

    Args:
        layer: the layer.
        kind: a key of ``KINDS``: the output, or the gradient of the input or of the weights.
        examples: the number of examples.
    """

    layer: Layer
    kind: str
    examples: int

    @property
    def flops(self) -> int:
        return self.layer.flops * self.examples


@torch.no_grad()
def layers(network: nn.Module, example: Tensor) -> list[Layer]:
    """The network's layers in the order of the forward pass.

    Args:
        network: a generator or a discriminator.
        example: an input with one row.
    """
    found: list[Layer] = []

    def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        found.append(Layer(module, tuple(inputs[0].shape[1:]), tuple(output.shape[1:])))

    hooks = [module.register_forward_hook(note) for module in network.modules() if isinstance(module, LAYERS)]
    was_training = network.training
    try:
        network.eval()(Batch(images=example) if isinstance(network, Discriminator) else example)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return found


def products(generator: Sequence[Layer], discriminator: Sequence[Layer], batch: int) -> list[Product]:
    """The products that one step of D and then one of G on new samples must compute.

    D's step generates samples without a gradient and scores them along with as many images; images need no gradient.
    In G's step, D's weights need none.
    """
    return [
        *(Product(layer, "forward", batch) for layer in generator),
        *(Product(layer, kind, 2 * batch) for kind in ("forward", "weight") for layer in discriminator),
        *(Product(layer, "input", 2 * batch) for layer in discriminator[1:]),
        *(Product(layer, kind, batch) for kind in ("forward", "weight") for layer in generator),
        *(Product(layer, "input", batch) for layer in generator[1:]),
        *(Product(layer, kind, batch) for kind in ("forward", "input") for layer in discriminator),
    ]


def traffic(
    generator: Sequence[Layer], discriminator: Sequence[Layer], batch: int, activation_bytes: int = FLOAT32
) -> int:
    """The least bytes that one step of D and then one of G move, with a cache that keeps nothing for the next pass.

    The two forward passes of a step read the weights once. An optimizer step writes and reads the gradient, and reads
    and writes the weights and both of Adam's averages; G's also updates the EMA. A forward pass writes and reads each
    layer's output once. A backward pass reads it once more, and writes and reads its gradient.
    """
    weights = [sum(p.numel() for layer in net for p in layer.module.parameters()) for net in (generator, discriminator)]
    outputs = [sum(math.prod(layer.made) for layer in net) * batch for net in (generator, discriminator)]
    own = 1 + 2 + 2 + 4  # the passes; the gradient; the weights; Adam's two moments
    of_weights = (1 + own + 2) * weights[0] + (own + 1) * weights[1]
    forward, both = 2, 5
    of_activations = (forward + both) * outputs[0] + (2 * both + both) * outputs[1]
    return FLOAT32 * of_weights + activation_bytes * of_activations


# Rates of the machine


@contextmanager
def matmul_precision(word: str) -> Iterator[None]:
    """A context in which float32 matrix products and convolutions have this precision."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(word)
    torch.backends.cudnn.allow_tf32 = word != "highest"  # convolutions
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def library_product(a: Tensor, b: Tensor) -> Tensor:
    return a @ b


def onednn_product(a: Tensor, b: Tensor) -> Tensor:
    # Twice as fast as MKL in float32 on AMD processors.
    return torch.ops.mkldnn._linear_pointwise(a, b.t(), None, "none", [], "")


def implementations(device: str) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Implementations of a matrix product, by name."""
    found = {"torch.mm": library_product}
    if device == "cpu" and torch.backends.mkldnn.is_available():
        found["oneDNN"] = onednn_product
    return found


def fastest(task: Callable[[], object], device: str, repeats: int = 15) -> float:
    """The shortest of many times of ``task``, in seconds: the one that other processes disturbed least."""
    times: list[float] = []
    for _ in range(repeats):
        synchronize(device)
        started = time.perf_counter()
        task()
        synchronize(device)
        times.append(time.perf_counter() - started)
    return min(times)


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def square_rates(size: int, dtype: torch.dtype, device: str) -> dict[str, float]:
    """FLOP/s of the product of two square matrices, by implementation and size: of ``size``, and of a quarter of it.

    The small ones finish before other processes on the machine interrupt them.
    """
    rates = {}
    for rows in (max(1, size // 4), size):
        a, b = (torch.randn(rows, rows, device=device).to(dtype) for _ in range(2))
        for name, product in implementations(device).items():
            seconds = fastest(lambda multiply=product, a=a, b=b: multiply(a, b), device)
            rates[f"{name} {rows}"] = 2 * rows**3 / seconds
    return rates


def bandwidth(device: str, mebibytes: int) -> float:
    """Bytes/s of a copy, counting reads and writes."""
    source = torch.ones(mebibytes * 2**18, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() * FLOAT32 / fastest(lambda: target.copy_(source), device)


def linear_factors(product: Product, dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
    """The two matrices that a linear layer multiplies."""
    (n_out, n_in), rows = product.layer.module.weight.shape, product.examples
    shapes = {
        "forward": ((rows, n_in), (n_out, n_in)),
        "input": ((rows, n_out), (n_out, n_in)),
        "weight": ((rows, n_out), (rows, n_in)),
    }
    a, b = (torch.randn(shape, device=device).to(dtype) for shape in shapes[product.kind])
    return {"forward": (a, b.t()), "input": (a, b), "weight": (a.t(), b)}[product.kind]


def convolution_task(product: Product, dtype: torch.dtype, device: str) -> Callable[[], object]:
    """A task that computes a product of a convolutional layer."""
    layer, module = product.layer, product.layer.module
    seen, made = (torch.randn(product.examples, *shape, device=device).to(dtype) for shape in (layer.seen, layer.made))
    weight = module.weight.detach().to(device, dtype)
    transposed, extra = isinstance(module, nn.ConvTranspose2d), (0, 0)
    geometry = (module.stride, module.padding, module.dilation, transposed, extra, module.groups)
    if product.kind == "forward":
        return lambda: torch.convolution(seen, weight, None, *geometry)
    mask = [product.kind == "input", product.kind == "weight", False]
    return lambda: torch.ops.aten.convolution_backward(made, seen, weight, None, *geometry, mask)


def seconds_of(product: Product, dtype: torch.dtype, device: str) -> float:
    """The shortest time of one product with the fastest implementation and its factors in the cache."""
    if isinstance(product.layer.module, nn.Linear):
        a, b = linear_factors(product, dtype, device)
        return min(fastest(lambda m=multiply: m(a, b), device) for multiply in implementations(device).values())
    return fastest(convolution_task(product, dtype, device), device)


# Limits: work over rates


@dataclass(frozen=True)
class Limits:
    """The least time of one D and one G step.

    Args:
        flops, bytes: operations and bytes of the two steps.
        rates: FLOP/s of square matrices, by implementation and size.
        bandwidth: bytes/s.
        arithmetic_ms: the products at the best of these rates.
        own_shapes_ms: the sum of the times of each product at its own shape.
        traffic_ms: the bytes at the bandwidth.
    """

    flops: int
    bytes: int
    rates: dict[str, float]
    bandwidth: float
    arithmetic_ms: float
    own_shapes_ms: float
    traffic_ms: float


@torch.no_grad()
def limits(
    generator: Sequence[Layer],
    discriminator: Sequence[Layer],
    batch: int,
    precision: str,
    device: str,
    square: int = 2048,
    mebibytes: int = 256,
) -> Limits:
    """Measures the machine and returns its limits.

    Args:
        generator, discriminator: their layers.
        batch: images in a batch.
        precision: one of ``PRECISIONS``.
        device: ``cpu`` or ``cuda``.
        square: size of the square matrices.
        mebibytes: size of the copied tensor.
    """
    dtype = PRECISIONS[precision].factors
    needed = products(generator, discriminator, batch)
    flops = sum(product.flops for product in needed)
    moved = traffic(generator, discriminator, batch, dtype.itemsize)
    with matmul_precision(PRECISIONS[precision].matmul):
        rates = square_rates(square, dtype, device)
        own = sum(seconds_of(product, dtype, device) for product in needed)
    speed = bandwidth(device, mebibytes)
    return Limits(
        flops=flops,
        bytes=moved,
        rates=rates,
        bandwidth=speed,
        arithmetic_ms=1000 * flops / max(rates.values()),
        own_shapes_ms=1000 * own,
        traffic_ms=1000 * moved / speed,
    )
