"""The base class of all methods: random numbers, gradients, updates, the EMA, several processes, resume."""

import logging
import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gan.core.batch import Batch
from gan.core.checks import check_integer, check_number
from gan.core.errors import UserError
from gan.core.processes import average_gradients, rank_and_world
from gan.core.random import RandomRows, derive, reseed
from gan.losses.base import Term
from gan.methods.capture import Recordings, capture_unavailable
from gan.methods.optimization import Optimization
from gan.methods.player import Player
from gan.methods.tricks import use_fast_layers, use_plain_layers
from gan.networks.base import Generator, Network, expect_shape
from gan.networks.latents import Latent
from gan.optim.ema import EMA

log = logging.getLogger(__name__)

Logs = dict[str, Tensor]  # detached scalars by name
Due = Mapping[str, Term]  # the terms of a player's update, by the name under which they are logged
Step = Callable[[Batch, Mapping[str, Due]], Logs]  # computes the gradients of one or several players


class Method(Optimization):
    """A method to train a generator, with one optimizer per player.

    A subclass defines the networks that each player trains (:attr:`trained_networks`) and the order of the updates
    (:meth:`train_on_batch`). Images are float32 (B, C, H, W) in [0, 1].

    Args:
        generator: latents (B, dim) to images.
        latent: the prior of the latents.
        players: the optimizer settings of each player, by name.
        ema_decay: decay of the EMA of the generator's weights, in [0, 1); 0 for no EMA.
        ema_power: the EMA spans at most about the last 1 / power of the updates so far.
        capture: whether to capture updates as CUDA graphs where possible; see :mod:`gan.methods.capture`.
        seed: seed of all random numbers of the training.
        total_iterations: length of the run in batches; None to use the Trainer's ``max_epochs``.

    Attributes:
        iteration: batches trained on so far, the x axis of every curve.
    """

    def __init__(
        self,
        *,
        generator: Generator,
        latent: Latent,
        players: Mapping[str, Player],
        ema_decay: float = 0.0,
        ema_power: float = 9.0,
        capture: bool = False,
        seed: int = 0,
        total_iterations: int | None = None,
    ) -> None:
        super().__init__(players, total_iterations)
        check_number("[0, 1)", ema_decay=ema_decay)
        check_number("[0, inf)", ema_power=ema_power)
        check_integer(seed=seed)
        self.generator, self.latent = generator, latent
        self.ema_decay, self.ema_power = ema_decay, ema_power
        self.capture, self.seed = capture, seed
        self.iteration = 0
        self._emas: list[EMA] = []
        self.recordings: Recordings | None = None
        self.keep_ema("generator")

    # Defined by subclasses

    @property
    def offers(self) -> frozenset[str]:
        """What a trained model provides beside samples: ``labels`` if the prior has classes."""
        return frozenset({"labels"} if self.latent.classes else ())

    @property
    def objectives(self) -> dict[str, Term]:
        """The loss, under the empty name, and the terms by the name under which they are logged."""
        return {}

    @abstractmethod
    def train_on_batch(self, batch: Batch) -> Logs:
        """All updates on one batch; returns detached scalars for the curves."""

    @torch.no_grad()
    def check(self, batch: Batch) -> list[str]:
        """Runs every network once on a few examples, without changing weights or buffers.

        Args:
            batch: a few examples of the data's shape.

        Returns:
            The names of the scalars that :meth:`train_on_batch` logs, except ``loss/PLAYER/NAME`` of terms.

        Raises:
            UserError: a network does not fit the data or another network.
        """
        if self.generator.needs_labels and not self.latent.classes:
            raise UserError("latent draws no labels, which this generator needs; take latent=labelled.")
        if self.latent.classes and not self.generator.needs_labels:
            raise UserError(
                "latent draws labels, which model.generator would ignore; take model=conditional or "
                "conditioning=concatenation, or a latent without labels."
            )
        z, labels = self.latent(RandomRows(self.device), batch.labels)
        expect_shape("model.generator", self.generator(z, labels), batch.images.shape)
        return [f"loss/{player}" for player in self.player_names]

    # An iteration

    def training_step(self, batch: Batch, batch_idx: int) -> Logs:
        if not isinstance(batch, Batch):
            raise UserError(f"the data loader gives {type(batch).__name__}, expected gan.core.batch.Batch.")
        # All random numbers of this iteration are a function of (seed, iteration). A resumed run draws the same
        # numbers, and every process draws all of them and keeps its rows.
        reseed(self.device, derive(self.seed, "step", self.iteration))
        for term in self.objectives.values():
            term.begin_iteration(self.iteration, self.total_iterations)
        logs = self.train_on_batch(batch)
        self.iteration += 1
        # Lightning's own limits count the steps of all optimizers, and start at 0 in a resumed run.
        if self.iteration >= self.total_iterations:
            self.trainer.should_stop = True
        return logs

    def take_steps(self, batch: Batch, step: Step, *players: str) -> Logs:
        """One update of each named player: all gradients at the same weights first, then all optimizer steps.

        Args:
            batch: the real examples.
            step: computes the players' gradients by :meth:`compute_gradient`; must depend on tensors alone.
            players: the players to update.
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
        """The part of :meth:`take_steps` that runs on the device."""
        logs = step(batch, due)
        for player in due:
            self.apply_gradient(player)
        return logs

    def terms_due(self, player: str) -> Due:
        """The terms that are part of a player's next update."""
        done = self.updates(player)
        return {name: term for name, term in self.objectives.items() if done % term.every == 0}

    def compute_gradient(
        self, player: str, parts: Mapping[str, Tensor | None], due: Due | None = None, **backward: Any
    ) -> Logs:
        """Replaces the gradient of the player's weights by that of the sum of the parts.

        Args:
            player: the player's name.
            parts: scalars by the name under which they are logged, the loss under the empty name; None is skipped.
            due: the terms of the parts; a part computed every n-th update is multiplied by n.
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
        """The player's optimizer step, then the projection of its weights onto its constraints."""
        self.optimizer_of(player).step()
        for network in self.trained_networks[player]:
            network.constrain()
        if (constraint := self.players[player].constraint) is not None:
            with torch.no_grad():
                for parameter in self.parameters_of(player):
                    constraint(parameter)

    def after_step(self, player: str) -> None:
        """The part of an update that runs on the host: the next learning rate and momentum, the EMA."""
        schedule = self.schedule_of(player)
        schedule.step()
        if self.players[player].momentum is not None:  # the total takes time to count
            self.players[player].set_momentum(schedule, self.total_updates(player))
        for ema in self._emas:
            if ema.network in self.trained_networks[player]:
                ema.update(schedule.last_epoch)

    @property
    def random_rows(self) -> RandomRows:
        """Random numbers for this process's rows of the batch."""
        return RandomRows(self.device, *rank_and_world())

    @property
    def trained_latent(self) -> tuple[Network, ...]:
        """The prior, if it has weights that G's player trains; else nothing."""
        return (self.latent,) if isinstance(self.latent, Network) else ()

    # The EMA

    def keep_ema(self, name: str) -> None:
        """Keeps an EMA of the network in attribute ``name`` as attribute ``NAME_ema``; None without an EMA."""
        if self.ema_decay:
            self._emas.append(EMA(getattr(self, name), self.ema_decay, self.ema_power))
        setattr(self, f"{name}_ema", self._emas[-1].average if self.ema_decay else None)

    def restart_ema(self) -> None:
        """Resets each EMA to its network's current weights."""
        for ema in self._emas:
            ema.restart()

    def on_fit_start(self) -> None:
        use_fast_layers(self)

    def on_fit_end(self) -> None:
        use_plain_layers(self)

    def on_train_start(self) -> None:
        if self.iteration >= (self.total_iterations or math.inf):  # killed between its last batch and its end
            self.trainer.should_stop = True
        for ema in self._emas:  # after everything has moved to its device
            ema.collect()
        if self.capture:
            if (why := capture_unavailable(self, self.trainer)) is None:
                self.recordings = Recordings(self)
            else:
                log.warning("trainer.capture: %s: step by step.", why)

    def on_train_end(self) -> None:
        self.recordings = None  # frees its memory

    def generators(self) -> dict[str, nn.Module]:
        """The generators to sample from: ``raw``, and ``ema`` if there is one."""
        return {"raw": self.generator} | ({"ema": self.generator_ema} if self.generator_ema is not None else {})

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["iteration"] = self.iteration
        # The next point of the curves may need the gradient norm of an update before this checkpoint.
        checkpoint["gradient_norms"] = self.gradient_norms()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.iteration = checkpoint["iteration"]
        self._norms = dict(checkpoint.get("gradient_norms", {}))
