"""Layers that torch lacks, or has in a form that does not suit several processes."""

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Maxout(nn.Module):
    """h_j = max over i of (W_ij · x + b_ij): each unit is the largest of ``pieces`` linear functions.

    Goodfellow et al. 2013, "Maxout Networks", equation 1.

    Args:
        in_features: width of the input, (B, in_features).
        units: width of the output, (B, units).
        pieces: linear functions per unit, at least 1.
        init_range: weights start uniform on [-init_range, init_range], biases at 0.
    """

    def __init__(self, in_features: int, units: int, pieces: int, init_range: float) -> None:
        super().__init__()
        if pieces < 1:
            raise ValueError(f"pieces must be at least 1, got {pieces}")
        self.units, self.pieces = units, pieces
        self.linear = uniform_linear(in_features, pieces * units, init_range)

    def forward(self, x: Tensor) -> Tensor:
        # The pieces lie apart and the units side by side, so that the maximum runs over whole rows.
        return self.linear(x).unflatten(1, (self.pieces, self.units)).max(dim=1).values  # (B, units)


class Dropout(nn.Module):
    """Dropout whose mask belongs to the whole minibatch, however many processes share it.

    Every process draws the mask of all rows from the same random numbers and keeps its own rows
    (process r of w has rows r, r + w, …, as it has of the images and the noise), so that w processes
    drop what one process with the w-fold minibatch drops.

    Args:
        p: the share of values set to zero while training, in [0, 1); the rest is divided by 1 - p.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        together = dist.is_available() and dist.is_initialized()
        rank, world = (dist.get_rank(), dist.get_world_size()) if together else (0, 1)
        # On a CPU comparing uniform numbers takes a quarter of the time of bernoulli_.
        uniform = torch.rand(len(x) * world, *x.shape[1:], device=x.device)[rank::world]
        return x * (uniform >= self.p).to(x.dtype).div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def uniform_linear(in_features: int, out_features: int, init_range: float) -> nn.Linear:
    """A linear layer with weights uniform on [-init_range, init_range] and biases 0 (pylearn2's irange)."""
    layer = nn.Linear(in_features, out_features)
    with torch.no_grad():
        layer.weight.uniform_(-init_range, init_range)
        layer.bias.zero_()
    return layer
