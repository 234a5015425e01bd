"""A traced network as a short list of primitive steps, which a page or another small interpreter carries out.

The steps are for one example (batch size 1). What does not depend on the inputs is computed here: spectral
normalization becomes plain weights, batch normalization a factor and a shift.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan.core.errors import UserError
from gan.formats.trace import Operation, Program, Value, name_of


class Step(NamedTuple):
    """``name = op(*inputs, **settings)``, of this shape; the inputs name steps, constants, ``z`` or ``labels``."""

    name: str
    op: str
    inputs: list[str]
    shape: list[int]
    settings: dict[str, Any]


class Primitives:
    """The steps of a program, and their constants.

    Args:
        program: a traced network.
        z: an example, (1, dim).
        labels: int64 (1,), a class of the network.

    Attributes:
        steps: in the order of their computation.
        constants: tensors by name, float32 or, for indices, int32.
        output: the name of the images.

    Raises:
        UserError: the network has an operation without a primitive form; the message names it.
    """

    def __init__(self, program: Program, z: Tensor, labels: Tensor) -> None:
        self.steps: list[Step] = []
        self.constants: dict[str, Tensor] = {}
        self.examples: dict[str, Any] = {**program.weights, "z": z, "labels": labels}
        self._dependent, self._aliases = {"z", "labels"}, {"z": "z", "labels": "labels"}
        with torch.no_grad():
            for operation in program.operations:
                self._add(operation)
        self.output = self.reference(program.output)

    def _add(self, operation: Operation) -> None:
        name, function, args, kwargs = operation
        values, named = self._resolve(args), {key: self._resolve(value) for key, value in kwargs.items()}
        result = self.examples[name] = function(*values, **named)
        if isinstance(result, int) or not self._depends([args, list(kwargs.values())]):
            return  # the batch size or a constant
        self._dependent.add(name)
        kind = name_of(function)
        if kind == "getitem" and args[1] == 0:  # of an operation with several results
            self._aliases[name] = self._aliases[args[0]]
            return
        first = result[0] if isinstance(result, tuple) else result
        if kind not in FORMS:
            raise UserError(f"format=html has no form of the operation {kind} ({name}) of the generator.")
        FORMS[kind](self, operation, bind(operation), first)

    def _resolve(self, argument: Any) -> Any:
        if isinstance(argument, list):
            return [self._resolve(each) for each in argument]
        return self.examples[argument] if isinstance(argument, Value) else argument

    def _depends(self, argument: Any) -> bool:
        if isinstance(argument, list):
            return any(self._depends(each) for each in argument)
        return isinstance(argument, Value) and argument in self._dependent

    def reference(self, argument: Any) -> str:
        """The name of a value for the inputs of a step; a tensor or number that is constant becomes one."""
        if self._depends(argument):
            return self._aliases[argument]
        value = self._resolve(argument)
        key = str(argument) if isinstance(argument, Value) else f"constant_{len(self.constants)}"
        tensor = torch.as_tensor(value)
        self.constants[key] = tensor.to(torch.int32 if tensor.dtype == torch.int64 else torch.float32)
        return key

    def emit(self, operation: Operation, op: str, inputs: list, result: Tensor, **settings: Any) -> None:
        """Adds a step; its result is also what ``operation.name`` stands for."""
        name = f"{operation.name}_{len(self.steps)}"
        references = [self.reference(each) for each in inputs]
        self.steps.append(Step(name, op, references, list(result.shape), settings))
        self._dependent.add(Value(name))
        self._aliases |= {name: name, operation.name: name}

    def refuse(self, operation: Operation) -> None:
        """Raises UserError for arguments that have no primitive form."""
        raise UserError(f"format=html: {name_of(operation.function)} ({operation.name}) has unsupported arguments.")


def bind(operation: Operation) -> dict[str, Any]:
    """The arguments of an operation by their names, with torch's defaults."""
    schema = operation.function._schema.arguments
    given = dict(zip((argument.name for argument in schema), operation.args, strict=False)) | operation.kwargs
    return {argument.name: given.get(argument.name, argument.default_value) for argument in schema}


Form = Callable[[Primitives, Operation, dict[str, Any], Tensor], None]


def linear(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """x Wᵀ + b."""
    bias = torch.zeros(result.shape[-1]) if named["bias"] is None else named["bias"]
    page.emit(operation, "linear", [named["input"], named["weight"], bias], result)


def convolution(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """A convolution, or a transposed one, with its stride, padding, dilation and groups."""
    bias = torch.zeros(result.shape[1]) if named["bias"] is None else named["bias"]
    settings = {key: _pair(named[key]) for key in ("stride", "padding", "dilation")}
    transposed = "output_padding" in named
    inputs = [named["input"], named["weight"], bias]
    page.emit(operation, "convolution", inputs, result, **settings, groups=named["groups"], transposed=transposed)


def _pair(setting: Any) -> list[int]:
    return [*setting] * (2 // len(setting))


def batch_norm(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """A factor and a shift from the running statistics, then gain and shift."""
    mean, variance = (page.examples[named[key]].double() for key in ("running_mean", "running_var"))
    gain = (variance + named["eps"]).rsqrt()
    _affine(page, operation, named["input"], result, (gain, -mean * gain))
    _gain_and_shift(page, operation, named, result, (-1, *[1] * (result.ndim - 2)))


def group_norm(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """Mean 0 and variance 1 over each group of channels, then gain and shift."""
    _standardize(page, operation, named, result, result[0].numel() // named["num_groups"])


def instance_norm(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """Mean 0 and variance 1 over the pixels of each channel, then gain and shift."""
    if not named["use_input_stats"]:
        page.refuse(operation)
    _standardize(page, operation, named, result, result[0, 0].numel())


def _standardize(page: Primitives, operation: Operation, named: dict, result: Tensor, size: int) -> None:
    """Blocks of ``size`` values get mean 0 and variance 1; then each channel has its gain and shift."""
    page.emit(operation, "standardize", [named["input"]], result, size=size, eps=named["eps"])
    _gain_and_shift(page, operation, named, result, (-1, *[1] * (result.ndim - 2)))


def layer_norm(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """Mean 0 and variance 1 over the last dimensions, then gain and shift."""
    size = math.prod(named["normalized_shape"])
    page.emit(operation, "standardize", [named["input"]], result, size=size, eps=named["eps"])
    _gain_and_shift(page, operation, named, result, named["normalized_shape"])


def _gain_and_shift(page: Primitives, operation: Operation, named: dict, result: Tensor, shape: Any) -> None:
    for op, key in (("multiply", "weight"), ("add", "bias")):
        if named[key] is not None:
            value = page.examples[named[key]].reshape(shape)
            page.emit(operation, op, [page_value(operation), value], result)


def _affine(page: Primitives, operation: Operation, x: Value, result: Tensor, factors: tuple[Tensor, Tensor]) -> None:
    gain, shift = (factor.reshape(-1, *[1] * (result.ndim - 2)).float() for factor in factors)
    page.emit(operation, "multiply", [x, gain], result)
    page.emit(operation, "add", [page_value(operation), shift], result)


def page_value(operation: Operation) -> Value:
    """What the last step of an operation computed."""
    return Value(operation.name)


def elementwise(op: str) -> Form:
    """A function of each value; its other arguments are numbers."""

    def form(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
        x, *rest = named
        page.emit(operation, op, [named[x]], result, **{key: named[key] for key in rest})

    return form


def binary(op: str) -> Form:
    """A function of two tensors, or of a tensor and a number."""

    def form(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
        if named.get("alpha", 1) != 1:
            page.refuse(operation)
        page.emit(operation, op, [named["self"], named["other"]], result)

    return form


def move(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """Any operation that only moves, repeats or omits values: applied to indices, it yields where each comes from."""
    x = page.examples[operation.args[0]]
    if x.is_floating_point() and not result.is_floating_point():
        page.refuse(operation)  # it rounds
    rest = page._resolve(operation.args[1:])
    places = torch.arange(x.numel(), dtype=torch.float64).reshape(x.shape)
    index = operation.function(places, *rest, **operation.kwargs).flatten().long()
    if index.equal(torch.arange(x.numel())):
        page.emit(operation, "reshape", [operation.args[0]], result)
    else:
        page.emit(operation, "gather", [operation.args[0], index], result)


def resample(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """An operation that is linear and separate in rows and columns: its two matrices, found from unit vectors."""
    height, width = page.examples[named["input"]].shape[2:]
    rest = page._resolve(operation.args[1:])
    rows = operation.function(torch.eye(height)[None, :, :, None], *rest, **operation.kwargs)[0, :, :, 0].T
    columns = operation.function(torch.eye(width)[None, :, None, :], *rest, **operation.kwargs)[0, :, 0, :].T
    page.emit(operation, "resample", [named["input"], rows, columns], result)


def concatenate(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """Tensors one after the other along a dimension."""
    page.emit(operation, "concatenate", named["tensors"], result, dim=named["dim"] % result.ndim)


def maximum(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """The largest value along a dimension, as in maxout."""
    x = page.examples[named["self"]]
    dims = [named["dim"]] if isinstance(named["dim"], int) else list(named["dim"])
    if len(dims) != 1:
        page.refuse(operation)
    page.emit(operation, "maximum", [named["self"]], result, dim=dims[0] % x.ndim)


def embedding(page: Primitives, operation: Operation, named: dict, result: Tensor) -> None:
    """The rows of a table at the labels."""
    page.emit(operation, "rows", [named["weight"], named["indices"]], result)


#: the primitive form of each of torch's operations
FORMS: dict[str, Form] = {
    "linear.default": linear,
    "conv2d.default": convolution,
    "conv_transpose2d.input": convolution,
    "_native_batch_norm_legit_no_training.default": batch_norm,
    "group_norm.default": group_norm,
    "instance_norm.default": instance_norm,
    "layer_norm.default": layer_norm,
    "cat.default": concatenate,
    "max.dim": maximum,
    "amax.default": maximum,
    "embedding.default": embedding,
    **{f"{name}.default": elementwise(name) for name in ("relu", "leaky_relu", "elu", "softplus", "silu")},
    **{f"{name}.default": elementwise(name) for name in ("sigmoid", "tanh", "clamp")},
    "add.Tensor": binary("add"),
    "sub.Tensor": binary("subtract"),
    "mul.Tensor": binary("multiply"),
    "div.Tensor": binary("divide"),
    "eq.Tensor": binary("equal"),
    **{f"upsample_{mode}2d.vec": resample for mode in ("nearest", "bilinear", "bicubic")},
    **{f"{name}.default": move for name in ("view", "unsqueeze", "permute", "expand", "clone", "_to_copy", "repeat")},
    **{f"{name}.default": move for name in ("pixel_shuffle", "flip", "reshape", "squeeze", "alias", "_unsafe_view")},
    **dict.fromkeys(("slice.Tensor", "select.int", "transpose.int", "squeeze.dim", "squeeze.dims"), move),
    **dict.fromkeys(("flatten.using_ints", "unflatten.int", "reflection_pad2d.default", "t.default"), move),
}
