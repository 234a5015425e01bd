"""The exponential moving average (EMA) of a network's weights."""

import copy

import torch
from torch import Tensor, nn


class EMA:
    """A copy of a network whose weights are averaged over updates: average ← d · average + (1 - d) · weights.

    The decay d grows with the number of updates t as (1 + t) / (1 + t + power), up to ``decay``. The random initial
    weights then do not dominate the EMA of a short run. Buffers are copied, not averaged.

    Args:
        network: the network to average; it is not changed.
        decay: the largest d, in [0, 1).
        power: the EMA spans at most about the last 1 / power of the updates so far.

    Attributes:
        average: the EMA copy, without gradients.
    """

    def __init__(self, network: nn.Module, decay: float, power: float = 9.0) -> None:
        self.network, self.decay, self.power = network, decay, power
        self.average = copy.deepcopy(network).requires_grad_(False)
        self.collect()

    def collect(self) -> None:
        """Lists the tensors to average; call it again after the networks have moved to another device."""
        self._averages: list[Tensor] = list(self.average.parameters())
        self._weights: list[Tensor] = list(self.network.parameters())
        self._buffers = list(zip(self.average.buffers(), self.network.buffers(), strict=True))

    def restart(self) -> None:
        """Sets the copy to the network's current weights."""
        self.average.load_state_dict(self.network.state_dict())

    @torch.no_grad()
    def update(self, count: int) -> None:
        """Updates the EMA after the network's ``count``-th update, counted from 1."""
        decay = min(self.decay, (1 + count) / (1 + count + self.power))
        torch._foreach_lerp_(self._averages, self._weights, 1 - decay)
        for kept, buffer in self._buffers:
            kept.copy_(buffer)
