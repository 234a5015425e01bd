"""A network as a list of torch's own operations (ATen), whatever its class."""

import copy
import operator
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node

from gan.core.errors import UserError, one_line


class Value(str):
    """The name of a tensor or number in a program: an input, a weight, or the result of an operation."""


class Operation(NamedTuple):
    """``name = function(*args, **kwargs)``; a :class:`Value` in the arguments stands for what has that name."""

    name: str
    function: Any
    args: list
    kwargs: dict


@dataclass(frozen=True)
class Program:
    """A network in evaluation mode.

    Attributes:
        operations: in the order of their computation; the inputs are ``z`` (B, dim) and ``labels`` (B,).
        weights: parameters, buffers and constants by name; those of the network have the names of its state_dict.
        output: the name of the images (B, C, H, W).
        uses_labels: whether the images depend on the labels.
        exported: torch's own form of the program.
    """

    operations: list[Operation]
    weights: dict[str, Tensor]
    output: Value
    uses_labels: bool
    exported: ExportedProgram


def trace(network: nn.Module, z: Tensor, labels: Tensor, key: str = "model.generator") -> Program:
    """The operations of a network in evaluation mode, on the CPU, for any batch size.

    Args:
        network: maps latents and labels to images; unchanged.
        z: an example, (B, dim) with B > 1.
        labels: int64 (B,).
        key: of the network, for messages.

    Raises:
        UserError: torch cannot trace the network, for example because its forward branches on values.
    """
    network = copy.deepcopy(network).cpu().eval()
    exported = _export(network, z, labels, key)
    signature = exported.graph_signature
    named = signature.inputs_to_parameters | signature.inputs_to_buffers | signature.inputs_to_lifted_tensor_constants
    (output,) = signature.user_outputs
    return Program(
        operations=list(_operations(exported, named)),
        weights={**network.state_dict(), **{k: v for k, v in exported.constants.items() if isinstance(v, Tensor)}},
        output=Value(output),
        uses_labels=any(node.users for node in exported.graph.nodes if node.name == "labels"),
        exported=exported,
    )


def _export(network: nn.Module, z: Tensor, labels: Tensor, key: str) -> ExportedProgram:
    batch = torch.export.Dim("batch")
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's warnings about its own code
            exported = torch.export.export(network, (z, labels), dynamic_shapes=({0: batch}, {0: batch}))
            return exported.run_decompositions({})  # no in-place operations, else as the network calls them
    except Exception as error:  # torch has a class of errors for each stage
        message = one_line(error).split(". ")[0]
        raise UserError(f"{key} ({type(network).__name__}): torch.export cannot trace it: {message[:200]}.") from error


def _operations(exported: ExportedProgram, named: dict[str, str]) -> Iterator[Operation]:
    def convert(argument: Any) -> Any:
        if isinstance(argument, Node):
            return Value(named.get(argument.name, argument.name))
        if isinstance(argument, list | tuple):
            return [convert(each) for each in argument]
        return argument

    for node in exported.graph.nodes:
        if node.op == "call_function" and node.users:  # the others are assertions
            kwargs = {key: convert(value) for key, value in node.kwargs.items() if value is not None}
            yield Operation(node.name, node.target, convert(node.args), kwargs)


def name_of(function: Any) -> str:
    """``linear.default`` for ``torch.ops.aten.linear.default``, ``getitem`` for ``operator.getitem``.

    Raises UserError for a function of another library.
    """
    if getattr(operator, function.__name__, None) is function:
        return function.__name__
    name = str(function)
    if not name.startswith("aten."):
        raise UserError(f"model.generator calls {name}, which is none of torch's own operations.")
    return name.removeprefix("aten.")
