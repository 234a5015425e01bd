"""Layers that torch lacks, or whose torch version does not suit several processes."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from gan.core.checks import check_integer, check_number
from gan.core.errors import UserError
from gan.core.processes import rank_and_world

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def perceptron(widths: Sequence[int], activation: nn.Module) -> nn.Sequential:
    """Linear layers of these widths, at least two, with a parameter-free activation between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), activation]
    return nn.Sequential(*layers[:-1])


def leaky_relu(slope: float, inplace: bool = True) -> nn.LeakyReLU:
    """LeakyReLU; the slope for negative inputs is at least 0, because torch has no gradient in place below it."""
    check_number("[0, inf)", slope=slope)
    return nn.LeakyReLU(slope, inplace=inplace)


class Constrained(nn.Module):
    """A layer that bounds the norm of each unit's incoming weights.

    Args:
        max_norm: the largest Euclidean norm of a unit's weights; None for no limit.
    """

    linear: nn.Linear

    def __init__(self, max_norm: float | None = None) -> None:
        super().__init__()
        check_number("(0, inf)", or_none=True, max_norm=max_norm)
        self.max_norm = max_norm

    @torch.no_grad()
    def constrain(self) -> None:
        """Scales the weights of each unit above the limit down to the limit (pylearn2's max_col_norm).

        Raises:
            UserError: the layer's weights are parametrized, that is computed from other weights.
        """
        if self.max_norm is None:
            return
        if is_parametrized(self.linear, "weight"):
            # Spectral normalization recomputes the weights for each use, so scaling the result has no effect.
            # Scaling the original weights is partly undone, because they are divided by their largest singular value.
            raise UserError(
                f"max_norm={self.max_norm:g} cannot hold for weights that are computed from others, as under spectral "
                "normalization, which bounds each unit's norm by 1 itself; set max_norm=null."
            )
        self.linear.weight.renorm_(2, 0, self.max_norm)


class Dense(Constrained):
    """activation(W x + b), initialized as in pylearn2.

    Args:
        in_features: width of the input, (B, in_features).
        units: width of the output, (B, units).
        activation: applied after the linear map.
        init_range: weights start uniform on [-init_range, init_range] …
        nonzero_weights: … or this many weights of each unit start from N(0, 1), the others at 0. Give one of the two.
        bias: initial value of the biases.
        max_norm: the largest norm of a unit's weights, or None.
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        activation: nn.Module,
        init_range: float | None = None,
        nonzero_weights: int | None = None,
        bias: float = 0.0,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(max_norm)
        if (init_range is None) == (nonzero_weights is None):
            raise ValueError("give one of init_range and nonzero_weights")
        if nonzero_weights is None:
            self.linear = uniform_linear(in_features, units, init_range)
        else:
            self.linear = sparse_linear(in_features, units, nonzero_weights)
        nn.init.constant_(self.linear.bias, bias)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.linear(x))


class Maxout(Constrained):
    """h_j = max over i of (W_ij · x + b_ij): each unit is the largest of ``pieces`` linear functions.

    Goodfellow et al. 2013, "Maxout Networks", equation 1.

    Args:
        in_features: width of the input, (B, in_features).
        units: width of the output, (B, units).
        pieces: linear functions per unit, at least 1.
        init_range: weights start uniform on [-init_range, init_range], biases at 0.
        max_norm: the largest norm of a linear function's weights, or None.
    """

    def __init__(
        self, in_features: int, units: int, pieces: int, init_range: float, max_norm: float | None = None
    ) -> None:
        super().__init__(max_norm)
        check_integer("[1, inf)", pieces=pieces)
        self.units, self.pieces = units, pieces
        self.linear = uniform_linear(in_features, pieces * units, init_range)

    def forward(self, x: Tensor) -> Tensor:
        # The units of one piece are contiguous, so that the maximum runs over whole rows.
        return self.linear(x).unflatten(1, (self.pieces, self.units)).max(dim=1).values  # (B, units)


class MaxoutConv2d(nn.Module):
    """A convolution with maxout over its channels, then max pooling.

    Goodfellow et al. 2013, section 2. As in pylearn2 the last pooling window may extend over the border.

    Args:
        in_channels: channels of the input, (B, in_channels, H, W).
        channels: channels of the output.
        pieces: linear functions per output channel, at least 1.
        kernel: side of the convolution's kernel.
        padding: zeros on each side of the input.
        pool, stride: side and stride of the pooling windows.
        init_range: weights start uniform on [-init_range, init_range], biases at 0.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        pieces: int,
        kernel: int,
        padding: int,
        pool: int,
        stride: int,
        init_range: float,
    ) -> None:
        super().__init__()
        self.channels, self.pieces = channels, pieces
        self.convolution = nn.Conv2d(in_channels, pieces * channels, kernel, padding=padding)
        nn.init.uniform_(self.convolution.weight, -init_range, init_range)
        nn.init.zeros_(self.convolution.bias)
        self.pool = nn.MaxPool2d(pool, stride, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        pieces = self.convolution(x).unflatten(1, (self.pieces, self.channels))  # (B, pieces, channels, H, W)
        return self.pool(pieces.amax(dim=1))


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """float32 (B, classes) for labels (B,); zeros for -1. Unlike torch's, it does not synchronize the device.

    Soft labels (B, classes), between classes, stay as they are.
    """
    if labels.ndim == 2:
        return labels
    return (labels[:, None] == torch.arange(classes, device=labels.device)).float()


class Conditional(nn.Module):
    """A layer that uses the label of each example; the generator sets them before its forward pass.

    Attributes:
        labels: int64 (B,), -1 for an unknown one; None for none known.
    """

    labels: Tensor | None = None


class Noise(nn.Module):
    """Adds Gaussian noise in training; as for :class:`Dropout`, independent of the number of processes.

    Args:
        deviation: standard deviation, at least 0.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        check_number("[0, inf)", noise=deviation)
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.deviation == 0:
            return x
        rank, world = rank_and_world()
        noise = torch.randn(len(x) * world, *x.shape[1:], device=x.device)[rank::world]
        return x + self.deviation * noise.to(x.dtype)

    def extra_repr(self) -> str:
        return f"deviation={self.deviation}"


class Dropout(nn.Module):
    """Dropout with a mask of the whole batch, independent of the number of processes.

    Every process draws the mask of all rows from the same random numbers and keeps its own rows: process r of w
    has rows r, r + w, …, the same as for images and latents. Then w processes drop the same values as one process
    with a batch w times as large.

    Args:
        p: the share of values set to zero in training, in [0, 1); the others are divided by 1 - p.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        check_number("[0, 1)", dropout=p)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        rank, world = rank_and_world()
        return x * self.mask(x, rank, world)

    def mask(self, x: Tensor, rank: int, world: int) -> Tensor:
        """0 or 1 / (1 - p) for each value of x: the rows of process ``rank`` of ``world``."""
        draws = torch.rand(len(x) * world, *x.shape[1:], device=x.device)[rank::world]
        return (draws >= self.p).to(x.dtype) / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def uniform_linear(in_features: int, out_features: int, init_range: float) -> nn.Linear:
    """A linear layer with weights uniform on [-init_range, init_range] and biases 0 (pylearn2's irange)."""
    layer = nn.Linear(in_features, out_features)
    with torch.no_grad():
        layer.weight.uniform_(-init_range, init_range)
        layer.bias.zero_()
    return layer


def normal_weights(layer: Layer, deviation: float) -> Layer:
    """The dense or convolutional layer, in place: weights from N(0, deviation²), biases 0."""
    nn.init.normal_(layer.weight, 0.0, deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def normal_gains(network: nn.Module, deviation: float) -> None:
    """Draws the gains of a network's normalizing layers from N(1, deviation²), in place."""
    for layer in network.modules():
        weighted = isinstance(layer, nn.Linear | nn.modules.conv._ConvNd)
        if not weighted and isinstance(gain := getattr(layer, "weight", None), nn.Parameter):
            nn.init.normal_(gain, 1.0, deviation)


def sparse_linear(in_features: int, out_features: int, nonzero_weights: int) -> nn.Linear:
    """A linear layer whose units have ``nonzero_weights`` weights from N(0, 1), the rest 0 (pylearn2's sparse_init)."""
    check_integer(f"[1, {in_features + 1})", nonzero_weights=nonzero_weights)
    layer = nn.Linear(in_features, out_features)
    chosen = torch.rand(out_features, in_features).topk(nonzero_weights, dim=1).indices
    with torch.no_grad():
        layer.weight.zero_().scatter_(1, chosen, torch.randn(out_features, nonzero_weights))
        layer.bias.zero_()
    return layer
