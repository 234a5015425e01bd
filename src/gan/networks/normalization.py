"""Normalization of a network's layers, as a choice: of their outputs, of their weights, or none.

A network passes each of its hidden layers to a :class:`Normalization`, and its first and last layers, whose outputs
are no hidden features, to :meth:`Normalization.weights`. A network of residual blocks, which normalizes before an
activation, asks for :meth:`Normalization.outputs`.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize

from gan.core.checks import ArgumentError, check_integer
from gan.networks.layers import Conditional, one_hot


class Normalization:
    """No normalization; the base class of the others.

    Attributes:
        cancels_bias: whether a bias that is added before the normalization has no effect; it is removed then.
        cancels_scale: whether a factor of all weights of a layer has no effect; it must not be 0 then.
    """

    cancels_bias = False
    cancels_scale = False

    def __call__(self, layer: nn.Module, channels: int) -> nn.Module:
        """A hidden layer with its normalization.

        Args:
            layer: dense or (transposed) convolutional; its weights are initialized.
            channels: of its output, (B, channels, H, W) or, after a dense layer, (B, channels).
        """
        if self.cancels_bias:
            layer.register_parameter("bias", None)
        return nn.Sequential(self.weights(layer), self.outputs(channels, dense=isinstance(layer, nn.Linear)))

    def weights(self, layer: nn.Module) -> nn.Module:
        """The layer with normalized weights; unchanged where a normalization is one of outputs."""
        return layer

    def outputs(self, channels: int, dense: bool = False) -> nn.Module:
        """What normalizes features; the identity where a normalization is one of weights.

        Args:
            channels: of the features.
            dense: whether they are (B, channels) in place of (B, channels, H, W).
        """
        return nn.Identity()


class Batch(Normalization):
    """Each channel has mean 0 and variance 1 over batch and pixels, then a gain and a shift (Ioffe and Szegedy 2015).

    The output for one example depends on the others of the batch. In evaluation the running means take their place.
    """

    cancels_bias = True

    def outputs(self, channels: int, dense: bool = False) -> nn.Module:
        return nn.BatchNorm1d(channels) if dense else nn.BatchNorm2d(channels)


class ConditionalBatch(Batch):
    """Batch normalization with a gain and a shift of its own for each class; for generators with labels.

    Dumoulin, Shlens, Kudlur 2017, "A Learned Representation for Artistic Style". All classes start with gain 1 and
    shift 0, which an unknown label keeps.

    Args:
        classes: number of classes, at least 2.
    """

    def __init__(self, classes: int) -> None:
        check_integer("[2, inf)", classes=classes)
        self.classes = classes

    def outputs(self, channels: int, dense: bool = False) -> nn.Module:
        norm = nn.BatchNorm1d if dense else nn.BatchNorm2d
        return ConditionalScale(norm(channels, affine=False), channels, self.classes)


class ConditionalScale(Conditional):
    """Features from a normalization, times a gain and plus a shift that depend on the label.

    Args:
        normalization: without gain and shift.
        channels: of the features (B, channels, …).
        classes: number of classes.
    """

    def __init__(self, normalization: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.normalization = normalization
        self.gains = nn.Parameter(torch.zeros(channels, classes))  # minus 1
        self.shifts = nn.Parameter(torch.zeros(channels, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = self.normalization(x)
        if self.labels is None:
            return x
        chosen = one_hot(self.labels, self.gains.shape[1]).to(x.dtype)
        ones = (...,) + (None,) * (x.ndim - 2)
        gains, shifts = (functional.linear(chosen, values) for values in (self.gains, self.shifts))
        return x * (1 + gains)[ones] + shifts[ones]


class Group(Normalization):
    """Each group of channels of each example has mean 0 and variance 1, then each channel a gain and a shift.

    Wu and He 2018.

    Args:
        groups: a divisor of the channels of every layer, at least 1.
    """

    def __init__(self, groups: int) -> None:
        check_integer("[1, inf)", groups=groups)
        self.groups = groups

    def outputs(self, channels: int, dense: bool = False) -> nn.Module:
        if channels % self.groups:
            raise ArgumentError(
                "normalization.groups", f"must divide each layer's channels ({channels} in one), got {self.groups}."
            )
        return nn.GroupNorm(self.groups, channels)


class Layer(Group):
    """Each example has mean 0 and variance 1 over channels and pixels, then each channel a gain and a shift.

    Ba, Kiros, Hinton 2016, with one gain and shift for all pixels of a channel: group normalization with one group.
    """

    def __init__(self) -> None:
        super().__init__(groups=1)


class Instance(Normalization):
    """Each channel of each example has mean 0 and variance 1 over the pixels (Ulyanov, Vedaldi, Lempitsky 2016).

    A dense layer's outputs have no pixels and stay as they are.

    Args:
        affine: whether each channel then has a gain and a shift.
    """

    cancels_bias = True

    def __init__(self, affine: bool = False) -> None:
        self.affine = affine

    def __call__(self, layer: nn.Module, channels: int) -> nn.Module:
        return layer if isinstance(layer, nn.Linear) else super().__call__(layer, channels)

    def outputs(self, channels: int, dense: bool = False) -> nn.Module:
        return nn.Identity() if dense else nn.InstanceNorm2d(channels, affine=self.affine)


class Weight(Normalization):
    """Each unit's weights are a direction times a learned length (Salimans and Kingma 2016).

    Weights that start at zero have no direction; they get a random one, and length 0.
    """

    def weights(self, layer: nn.Module) -> nn.Module:
        layer = parametrizations.weight_norm(layer)
        length, direction = layer.get_submodule("parametrizations.weight").parameters()
        if (length == 0).any():
            with torch.no_grad():
                direction.copy_(torch.where(length == 0, torch.randn_like(direction), direction))
        for part in layer.modules():
            if isinstance(part, parametrizations._WeightNorm):
                part.__class__ = LearnedLength
        return layer


class Spectral(Normalization):
    """Each layer's weights are divided by their largest singular value (Miyato et al. 2018).

    Those of a convolution are taken as a matrix with one row for each output channel. Every forward pass in training
    brings the estimate of the singular vectors nearer to the true ones; evaluation leaves it as it is. The estimate is
    in the checkpoint.

    Args:
        iterations: steps of the power method in each forward pass, at least 1.
    """

    cancels_scale = True

    def __init__(self, iterations: int = 1) -> None:
        check_integer("[1, inf)", iterations=iterations)
        self.iterations = iterations

    def weights(self, layer: nn.Module) -> nn.Module:
        layer = parametrizations.spectral_norm(layer, n_power_iterations=self.iterations)
        for part in layer.modules():
            if isinstance(part, parametrizations._SpectralNorm):
                part.__class__ = SpectralWeight
        return layer


class SpectralWeight(parametrizations._SpectralNorm):
    """torch's spectral normalization, in float32 under every precision.

    On a GPU autocast would compute the products of matrix and vectors in 16 bits.
    """

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            return super().forward(weight)


class Scaled(torch.autograd.Function):
    """Rows of given lengths: length · v / |v|, a row for each index of the first dimension.

    torch's kernel, which takes a sixth of the time of products and a norm. As an operation of its own it treats |v|
    as a constant in second derivatives, which an unrolled D needs; they are those of the formula here.
    """

    @staticmethod
    def forward(ctx: Any, direction: Tensor, length: Tensor) -> Tensor:
        scaled, norms = torch.ops.aten._weight_norm_interface(direction, length, 0)
        ctx.save_for_backward(direction, length, norms)
        return scaled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        direction, length, norms = ctx.saved_tensors
        if not torch.is_grad_enabled():
            of_both = torch.ops.aten._weight_norm_interface_backward(gradient.contiguous(), direction, length, norms, 0)
        else:  # somebody differentiates this gradient
            norms = direction.flatten(1).norm(dim=1).view_as(length)
            unit = direction / norms
            of_length = (gradient * unit).flatten(1).sum(1).view_as(length)
            of_both = (length / norms * (gradient - of_length * unit), of_length)
        return tuple(g if needed else None for g, needed in zip(of_both, ctx.needs_input_grad, strict=True))


class LearnedLength(parametrizations._WeightNorm):
    """torch's weight normalization with :class:`Scaled`'s second derivatives."""

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return Scaled.apply(weight_v, weight_g)


class FixedLength(nn.Module):
    """A parametrization: each row of the weights keeps its initial length, and only its direction is trained.

    Args:
        weight: the initial weights (outputs, inputs).
    """

    length: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("length", weight.detach().norm(dim=1, keepdim=True))

    def forward(self, weight: Tensor) -> Tensor:
        return Scaled.apply(weight, self.length)


def fixed_length(layer: nn.Linear) -> nn.Linear:
    """The layer, in place, with a :class:`FixedLength` of its weights."""
    parametrize.register_parametrization(layer, "weight", FixedLength(layer.weight))
    return layer
