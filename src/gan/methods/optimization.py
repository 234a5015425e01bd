"""One optimizer per player: its parameters, schedule and gradients."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gan.core.errors import UserError
from gan.methods.player import Player
from gan.networks.base import Network


class Optimization(pl.LightningModule):
    """A LightningModule with manual optimization and one optimizer per player.

    Args:
        players: the optimizer settings of each player, by name.
        total_iterations: length of the run in batches; None to use the Trainer's ``max_epochs``.

    Attributes:
        player_names: the players' names, in the order of their optimizers.
    """

    player_names: ClassVar[tuple[str, ...]]

    def __init__(self, players: Mapping[str, Player], total_iterations: int | None) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.players = {name: players[name] for name in self.player_names}
        self.total_iterations = total_iterations
        self._trained: dict[str, list[nn.Parameter]] = {}
        self._norms: dict[str, Tensor] = {}

    @property
    @abstractmethod
    def trained_networks(self) -> dict[str, tuple[Network, ...]]:
        """The networks that each player trains; several players may train the same network."""

    def parameters_of(self, player: str) -> list[nn.Parameter]:
        """The parameters that the player trains, without duplicates."""
        if player not in self._trained:  # cached, because it is used in every step
            networks = self.trained_networks[player]
            self._trained[player] = list(dict.fromkeys(p for network in networks for p in network.parameters()))
        return self._trained[player]

    def optimizer_of(self, player: str) -> Optimizer:
        """The player's optimizer, as Lightning wraps it."""
        return self._in_order(self.optimizers(), player)

    def schedule_of(self, player: str) -> LambdaLR:
        """The player's learning-rate schedule; its ``last_epoch`` counts the player's updates."""
        return self._in_order(self.lr_schedulers(), player)

    def updates(self, player: str) -> int:
        """The player's updates so far."""
        return self.schedule_of(player).last_epoch

    def total_updates(self, player: str) -> int:
        """The player's updates in the whole run."""
        return self.total_iterations

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LambdaLR]]:
        if self.total_iterations is None:
            self.total_iterations = length_of_fit(self.trainer)
        trained = dict.fromkeys(p for player in self.players for p in self.parameters_of(player))
        self._others = {
            player: [p for p in trained if p.requires_grad and p not in set(self.parameters_of(player))]
            for player in self.players
        }
        both = [how.configure(self.parameters_of(name), self.total_updates(name)) for name, how in self.players.items()]
        return [optimizer for optimizer, _ in both], [schedule for _, schedule in both]

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        # In this hook and not before the step, because under 16-mixed the gradients are unscaled only now.
        player = self.player_names[self.trainer.optimizers.index(getattr(optimizer, "optimizer", optimizer))]
        if clip := self.players[player].clip:
            self._norms[player] = clip_grad_norm_(self.parameters_of(player), clip)

    def gradient_norms(self) -> dict[str, Tensor]:
        """The Euclidean norm of each player's latest gradient, before clipping; no entry before the first update."""
        for player, how in self.players.items():
            gradients = [p.grad for p in self.parameters_of(player) if p.grad is not None]
            if gradients and not how.clip:
                self._norms[player] = get_total_norm(gradients)
        return {player: norm.to(self.device) for player, norm in self._norms.items()}

    def _in_order(self, several: Any, player: str) -> Any:
        # Lightning returns a single one without a list.
        return several[self.player_names.index(player)] if isinstance(several, list) else several

    @contextmanager
    def only_trainable(self, player: str) -> Iterator[None]:
        """Freezes all other weights: no graph through G in D's step, no gradients for D's weights in G's step."""
        others = self._others[player]
        for parameter in others:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in others:
                parameter.requires_grad_(True)


def length_of_fit(trainer: pl.Trainer) -> int:
    """The number of iterations that a Trainer is configured for; raises UserError if it is unlimited."""
    iterations = trainer.estimated_stepping_batches  # loads the data
    if not math.isfinite(iterations):
        raise UserError("total_iterations is missing: give it to the method, or max_epochs to the Trainer.")
    return int(iterations)
