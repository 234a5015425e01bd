"""Matrix products with oneDNN, one of torch's two CPU libraries for them.

torch computes float32 linear layers with the other library, MKL, which uses only half of the vector units of AMD
processors with AVX-512. oneDNN, which torch uses for convolutions and bfloat16, is as exact and uses all of them.
:attr:`gan.core.hardware.Processor.fast_onednn` decides where it is faster. torch has no public switch for it: the
setting ``torch.backends.mkldnn.matmul.fp32_precision`` selects oneDNN only together with rounded factors. If the
private operator is missing, torch's own linear layer is used.
"""

import torch
from torch import Tensor
from torch.nn.functional import linear

from gan.core.hardware import processor

_HAS_OPERATOR = hasattr(torch.ops.mkldnn, "_linear_pointwise")

#: with fewer multiplications than this, oneDNN's higher call overhead costs more than it saves
_WORTHWHILE = 4_000_000


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x Wᵀ + b, differentiable any number of times.

    Args:
        x: (B, inputs).
        weight: (outputs, inputs).
        bias: (outputs,).

    Returns:
        (B, outputs), in the dtype that autocast gives.
    """
    return _Affine.apply(x, weight, bias) if by_one_dnn(x, weight) else linear(x, weight, bias)


def by_one_dnn(x: Tensor, weight: Tensor) -> bool:
    """Whether to use oneDNN: for large float32 matrices, outside autocast, on a CPU where it is faster."""
    return (
        processor().fast_onednn
        and _HAS_OPERATOR
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and x.dim() == 2
        and len(x) * weight.numel() >= _WORTHWHILE
        and not torch.is_autocast_enabled("cpu")
        and bool(torch.backends.mkldnn.enabled)
    )


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _times_transposed(x, weight, bias)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            _Product.apply(gradient, weight.t()) if of_x else None,
            _Product.apply(gradient.t(), x.t()) if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )


class _Product(torch.autograd.Function):
    """A Bᵀ. Its two gradients have the same form, which makes :class:`_Affine` differentiable repeatedly."""

    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return _times_transposed(a, b)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, b = ctx.saved_tensors
        of_a, of_b = ctx.needs_input_grad
        return (
            _Product.apply(gradient, b.t()) if of_a else None,
            _Product.apply(gradient.t(), a.t()) if of_b else None,
        )


def _times_transposed(a: Tensor, b: Tensor, offset: Tensor | None = None) -> Tensor:
    """A Bᵀ + offset by oneDNN: (M, K), (N, K) and (N,) to (M, N); a transposed view costs no copy."""
    return torch.ops.mkldnn._linear_pointwise(a, b, offset, "none", [], "")
