"""A pull of the weights towards their mean over the training so far."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gan.losses.base import Pair, Term


class HistoricalAverage(Term):
    """weight · ‖θ - mean of θ over D's former steps‖², for D and for G, each with its own weights θ.

    0 until the first step of D. Salimans et al. 2016, "Improved Techniques for Training GANs", section 3.3.

    Args:
        **term: see :class:`gan.losses.base.Term`.

    Attributes:
        steps: number of steps that the means are over, float ().
    """

    reads_weights = True
    steps: Tensor

    def __init__(self, **term: Any) -> None:
        super().__init__(**term)
        self.register_buffer("steps", torch.zeros(()))
        self._weights: dict[str, list[nn.Parameter]] = {}

    def bind(self, networks: Mapping[str, Sequence[nn.Module]]) -> None:
        for player, several in networks.items():
            self._weights[player] = list(dict.fromkeys(p for network in several for p in network.parameters()))
            for number, weight in enumerate(self._weights[player]):
                self.register_buffer(f"{player}_{number}", torch.zeros_like(weight))

    def discriminator(self, pair: Pair) -> Tensor:
        return self.distance("discriminator")

    def generator(self, pair: Pair) -> Tensor:
        return self.distance("generator")

    def distance(self, player: str) -> Tensor:
        """The scalar that a player minimizes."""
        squares = [(weight - mean).square().sum() for weight, mean in self.means(player)]
        return self.weight * (self.steps > 0) * torch.stack(squares).sum()

    @torch.no_grad()
    def update_state(self, pair: Pair) -> None:
        self.steps.add_(1)
        for player in self._weights:
            for weight, mean in self.means(player):
                mean.add_((weight - mean) / self.steps)

    def means(self, player: str) -> list[tuple[nn.Parameter, Tensor]]:
        """Each weight of a player with its mean."""
        return [(weight, self.get_buffer(f"{player}_{i}")) for i, weight in enumerate(self._weights[player])]
