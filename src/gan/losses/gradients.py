"""Gradients of D's logit with respect to its inputs, differentiable with respect to D's weights."""

from collections.abc import Callable

import torch
from torch import Tensor

from gan.core.batch import Batch, Output


def squared_gradients(discriminator: Callable[[Batch], Output], at: Batch) -> Tensor:
    """‖∇t‖² of D's logit t with respect to all its float inputs, from a pass of its own.

    Args:
        discriminator: must treat each example independently; batch normalization would mix the gradients.
        at: the inputs; the caller's tensors are not changed to require gradients.

    Returns:
        (B,), at least 0; each norm is over all values of one example, or of the examples that share a logit.
    """
    inputs = as_leaves(at)
    # In float32 under every precision: 16 bits would round the gradient, which is the objective here.
    with torch.autocast(_floats(inputs)[0].device.type, enabled=False):
        return squared_norms(discriminator(inputs).logits, inputs)


def as_leaves(batch: Batch) -> Batch:
    """The batch cut off from its graph, with floats that require gradients."""
    return batch.map(lambda value: value.detach().requires_grad_(True) if value.is_floating_point() else value)


def squared_norms(logits: Tensor, leaves: Batch) -> Tensor:
    """‖∇t‖² of each logit, (B,), for logits (B,) that were computed from ``leaves``, float32.

    Where m examples share a logit, logit j is of the rows j, j + B, … of ``leaves``, and its norm is over all of them.
    """
    # The gradient of the sum over the batch holds the gradient of each example.
    gradients = torch.autograd.grad(logits.float().sum(), _floats(leaves), create_graph=True, allow_unused=True)
    squares = torch.stack([g.square().flatten(1).sum(1) for g in gradients if g is not None]).sum(0)
    return squares if len(squares) == len(logits) else squares.view(-1, len(logits)).sum(0)


def _floats(leaves: Batch) -> list[Tensor]:
    return [value for _, value in leaves.items() if value.requires_grad]
