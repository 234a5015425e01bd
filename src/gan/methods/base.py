"""What all methods share: random numbers, gradients, updates, the EMA, several processes, resume."""

import copy
import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.core.processes import average_gradients
from gan.core.random import RandomRows, derive, reseed
from gan.losses.base import Term
from gan.methods.capture import Recordings, capture_unavailable
from gan.methods.player import Player
from gan.networks.latents import Latent

log = logging.getLogger(__name__)

Logs = dict[str, Tensor]  # detached scalars by name
Due = Mapping[str, Term]  # the terms that are part of a player's update, by the name under which they are logged
Step = Callable[[Batch, Mapping[str, Due]], Logs]  # computes the gradients of one or several players


class Method(pl.LightningModule):
    """A way to train a generator, with one optimizer for each player.

    A subclass says whose weights each player moves (:attr:`trained_networks`) and in which order the updates come
    (:meth:`train_on_batch`). Images are float32 (B, C, H, W) in [0, 1].

    Args:
        generator: latents (B, dim) to images.
        latent: the prior of the latents.
        players: how each player is optimized, by name.
        ema_decay: decay of the EMA of the generator's weights, in [0, 1); 0 for no EMA.
        ema_power: the EMA spans at most the last 1 / power of the updates so far, roughly.
        capture: whether updates are recorded as CUDA graphs where that can be; see :mod:`gan.methods.capture`.
        seed: the source of all random numbers of the training.
        total_iterations: length of the run; None for that of the Trainer's ``max_epochs``.

    Attributes:
        player_names: the players, in the order of their optimizers.
        offers: what can be had of a trained model beside samples, for metrics and figures that need it.
        iteration: batches trained on so far, the x axis of every curve.
    """

    player_names: ClassVar[tuple[str, ...]]
    offers: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        *,
        generator: nn.Module,
        latent: Latent,
        players: Mapping[str, Player],
        ema_decay: float = 0.0,
        ema_power: float = 9.0,
        capture: bool = False,
        seed: int = 0,
        total_iterations: int | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.latent = generator, latent
        self.players = {name: players[name] for name in self.player_names}
        self.ema_decay, self.ema_power = ema_decay, ema_power
        self.capture, self.seed = capture, seed
        self.iteration, self.total_iterations = 0, total_iterations
        self._ema_of: dict[str, Any] = {}
        self._trained: dict[str, list[nn.Parameter]] = {}
        self._norms: dict[str, Tensor] = {}
        self.recordings: Recordings | None = None
        self.keep_ema("generator")

    # What a subclass says

    @property
    @abstractmethod
    def trained_networks(self) -> dict[str, tuple[nn.Module, ...]]:
        """The networks that each player moves; a network may belong to several players."""

    @property
    def objectives(self) -> dict[str, Term]:
        """The loss, under the empty name, and the terms by the name under which they are logged."""
        return {}

    @abstractmethod
    def train_on_batch(self, batch: Batch) -> Logs:
        """All updates on one batch; returns detached scalars for the curves."""

    @torch.no_grad()
    def check(self, batch: Batch) -> list[str]:
        """Runs every network once on a few examples, without a change of weights or buffers.

        Args:
            batch: of the data's shape.

        Returns:
            The names of the scalars that :meth:`train_on_batch` logs, beside ``loss/PLAYER/NAME`` of terms.

        Raises:
            UserError: a network does not fit the data or another network.
        """
        z, labels = self.latent(RandomRows(self.device), batch.labels)
        expect_shape("model.generator", self.generator(z, labels), batch.images.shape)
        return [f"loss/{player}" for player in self.player_names]

    # An iteration

    def training_step(self, batch: Batch, batch_idx: int) -> Logs:
        if not isinstance(batch, Batch):
            raise UserError(f"the data loader gives {type(batch).__name__}, expected gan.core.batch.Batch.")
        # All that this iteration draws is a function of (seed, iteration): a resumed run draws it again, and every
        # process draws the whole of it and keeps its rows.
        reseed(self.device, derive(self.seed, "step", self.iteration))
        for term in self.objectives.values():
            term.begin_iteration(self.iteration, self.total_iterations)
        logs = self.train_on_batch(batch)
        self.iteration += 1
        # Lightning's own limits count the steps of all optimizers, and from where a resumed run began.
        if self.iteration >= self.total_iterations:
            self.trainer.should_stop = True
        return logs

    def take_steps(self, batch: Batch, step: Step, *players: str) -> Logs:
        """One update of each named player: first all gradients, at the same weights, then all optimizer steps.

        Args:
            batch: the real examples.
            step: computes the players' gradients by :meth:`compute_gradient`; depends on tensors alone.
            players: who is updated.
        """
        due = {player: self.terms_due(player) for player in players}
        if self.recordings is None:
            logs = self.compute_and_apply(batch, step, due)
        else:
            logs = self.recordings(batch, step, due)
        for player in players:
            self.after_step(player)
        return logs

    def compute_and_apply(self, batch: Batch, step: Step, due: Mapping[str, Due]) -> Logs:
        """What the device does in :meth:`take_steps`."""
        logs = step(batch, due)
        for player in due:
            self.apply_gradient(player)
        return logs

    def terms_due(self, player: str) -> Due:
        """The terms that count in a player's next update."""
        done = self.updates(player)
        return {name: term for name, term in self.objectives.items() if done % term.every == 0}

    def compute_gradient(
        self, player: str, parts: Mapping[str, Tensor | None], due: Due | None = None, **backward: Any
    ) -> Logs:
        """The gradient of the sum of the parts for the player's weights, in place of the last one.

        Args:
            player: whose.
            parts: scalars by the name under which they are logged, the loss under the empty one; None is left out.
            due: the terms that the parts come from: what comes every n-th time counts n-fold.
            **backward: arguments of :meth:`torch.Tensor.backward`.

        Returns:
            ``loss/PLAYER`` and ``loss/PLAYER/NAME``, detached.
        """
        values = {name: part for name, part in parts.items() if part is not None}
        every = {name: due[name].every if due else 1 for name in values}
        first, *others = (part if every[name] == 1 else part * every[name] for name, part in values.items())
        for parameter in self.parameters_of(player):
            parameter.grad = None
        self.manual_backward(sum(others, start=first), **backward)
        average_gradients(self.parameters_of(player))
        return {f"loss/{player}/{name}".rstrip("/"): part.detach() for name, part in values.items()}

    def apply_gradient(self, player: str) -> None:
        """The player's optimizer step; then its weights go back to where its constraints let them be."""
        self.optimizer_of(player).step()
        for network in self.trained_networks[player]:
            network.constrain()
        if (constraint := self.players[player].constraint) is not None:
            with torch.no_grad():
                for parameter in self.parameters_of(player):
                    constraint(parameter)

    def after_step(self, player: str) -> None:
        """What the host does after an update: the next learning rate and momentum, the EMA."""
        schedule, momentum = self.schedule_of(player), self.players[player].momentum
        schedule.step()
        if momentum is not None:
            value = momentum(schedule.last_epoch, self.total_updates(player))
            for group in schedule.optimizer.param_groups:
                group["momentum"] = value
        for name in self._ema_of:
            if getattr(self, name) in self.trained_networks[player]:
                self.update_ema(name, schedule.last_epoch)

    @contextmanager
    def only_trainable(self, player: str) -> Iterator[None]:
        """Freezes all other weights: no graph through G in D's step, no gradient of D's weights in G's step."""
        others = self._others[player]
        for parameter in others:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in others:
                parameter.requires_grad_(True)

    @property
    def random_rows(self) -> RandomRows:
        """Random numbers for this process's rows of the batch."""
        return RandomRows(self.device, self.trainer.global_rank, self.trainer.world_size)

    # Optimization

    def parameters_of(self, player: str) -> list[nn.Parameter]:
        """The weights that the player moves, each once."""
        if player not in self._trained:  # asked for at every step
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
        optimizers = [how.optimizer(self.parameters_of(player)) for player, how in self.players.items()]
        totals = [self.total_updates(player) for player in self.players]
        factors = [
            lambda update, schedule=how.schedule, total=total: schedule(update, total)
            for how, total in zip(self.players.values(), totals, strict=True)
        ]
        return optimizers, [LambdaLR(o, f) for o, f in zip(optimizers, factors, strict=True)]

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        # Here and not in the step: under 16-mixed the gradients are unscaled only now.
        player = self.player_names[self.trainer.optimizers.index(getattr(optimizer, "optimizer", optimizer))]
        if clip := self.players[player].clip:
            self._norms[player] = clip_grad_norm_(self.parameters_of(player), clip)

    def gradient_norms(self) -> dict[str, Tensor]:
        """The Euclidean norm of each player's latest gradient, before clipping; nothing before a player's first."""
        for player, how in self.players.items():
            gradients = [p.grad for p in self.parameters_of(player) if p.grad is not None]
            if gradients and not how.clip:
                self._norms[player] = get_total_norm(gradients)
        return {player: norm.to(self.device) for player, norm in self._norms.items()}

    def _in_order(self, several: Any, player: str) -> Any:
        # Lightning hands out a single one bare.
        return several[self.player_names.index(player)] if isinstance(several, list) else several

    # The EMA

    def keep_ema(self, name: str) -> None:
        """Keeps an EMA of the network in the attribute ``name``, in ``NAME_ema``; None there without an EMA."""
        average = copy.deepcopy(getattr(self, name)).requires_grad_(False) if self.ema_decay else None
        setattr(self, f"{name}_ema", average)
        if average is not None:
            self._ema_of[name] = None

    def restart_ema(self) -> None:
        """Lets each EMA begin at its network's weights."""
        for name in self._ema_of:
            getattr(self, f"{name}_ema").load_state_dict(getattr(self, name).state_dict())

    def on_train_start(self) -> None:
        for name in self._ema_of:  # now that everything is on its device
            network, average = getattr(self, name), getattr(self, f"{name}_ema")
            buffers = list(zip(average.buffers(), network.buffers(), strict=True))
            self._ema_of[name] = list(average.parameters()), list(network.parameters()), buffers
        if self.capture:
            if (why := capture_unavailable(self, self.trainer)) is None:
                self.recordings = Recordings(self)
            else:
                log.warning("trainer.capture: %s: step by step.", why)

    def on_train_end(self) -> None:
        self.recordings = None  # its memory

    @torch.no_grad()
    def update_ema(self, name: str, update: int) -> None:
        """Moves the EMA of a network after its ``update``-th update, counted from 1.

        The decay grows to ``ema_decay`` as (1 + t) / (1 + t + power) with the updates t, so that the EMA of a short
        run is not dominated by the random start.
        """
        decay = min(self.ema_decay, (1 + update) / (1 + update + self.ema_power))
        averages, currents, buffers = self._ema_of[name]
        torch._foreach_lerp_(averages, currents, 1 - decay)
        for kept, buffer in buffers:
            kept.copy_(buffer)

    def generators(self) -> dict[str, nn.Module]:
        """The generators to sample from: ``raw``, and ``ema`` where an EMA is kept."""
        return {"raw": self.generator} | ({"ema": self.generator_ema} if self.generator_ema is not None else {})

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["iteration"] = self.iteration
        # A player's latest update may lie before the checkpoint and the next point of the curves behind it.
        checkpoint["gradient_norms"] = self.gradient_norms()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.iteration = checkpoint["iteration"]
        self._norms = dict(checkpoint.get("gradient_norms", {}))


def expect_shape(key: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Raises UserError unless what the network at ``key`` returns has this shape."""
    if tensor.shape != torch.Size(shape):
        raise UserError(f"{key} returns shape {tuple(tensor.shape)}, expected {tuple(shape)}.")


def length_of_fit(trainer: pl.Trainer) -> int:
    """The iterations that a Trainer is set up for; raises UserError where it sets no end."""
    epochs = trainer.max_epochs
    if epochs is None or epochs < 0:
        raise UserError("total_iterations is missing: give it to the method, or max_epochs to the Trainer.")
    return epochs * int(trainer.num_training_batches)
