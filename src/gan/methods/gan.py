"""The game: Algorithm 1 of Goodfellow et al. 2014. Knows no layer, no formula and no data set."""

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gan.core.random import derive, reseed
from gan.losses.adversarial import Loss
from gan.losses.penalties import Penalty
from gan.methods.capture import CudaGraph, NotRecordableError, Recording, capture_unavailable
from gan.networks.latents import Latent
from gan.optim.schedules import Schedule

log = logging.getLogger(__name__)

PLAYERS = ("discriminator", "generator")  # in the order of the optimizers

OptimizerFactory = Callable[..., Optimizer]


class GAN(pl.LightningModule):
    """Two players, two optimizers, one step of Algorithm 1 per minibatch.

    D takes a step on every minibatch; G takes its steps on every k-th, each with fresh noise and a
    fresh forward through D, or, with ``simultaneous``, from the very point that D steps from. Images
    are float32 (B, C, H, W) in [0, 1], logits are (B,).

    Args:
        generator: noise (B, latent dim) to images.
        discriminator: images to logits.
        latent: the noise prior.
        loss: both players' objectives.
        generator_optimizer, discriminator_optimizer: parameters to optimizer.
        generator_schedule, discriminator_schedule: factors on the initial learning rates.
        penalty: a term added to D's objective, or None.
        k: D steps per turn of G, at least 1.
        g_steps: G steps per turn of G, at least 1.
        simultaneous: on G's turn both gradients are taken at the same point, then both players step, as the
            authors' code of 2014 did; needs ``g_steps`` 1.
        momentum: the optimizers' momentum as a function of (update, total), or None to leave it alone.
        ema_decay: decay of the generator's moving average in [0, 1); 0 for no average.
        ema_power: the average spans at most the last 1 / power of the updates so far, roughly.
        gradient_clip: largest norm of a player's gradient; 0 for no clipping.
        capture: whether the players' turns are recorded and replayed where that can be; see :mod:`gan.methods.capture`.
        seed: what all noise and dropout is derived from.

    Attributes:
        minibatch: minibatches played so far, the one axis of every curve and picture.
        total_iterations: length of the whole run: it ends there and the schedules are drawn over it. Set by
            whoever knows the data and the Trainer, before the fit.
        generator_ema: the averaged generator, or None.
    """

    def __init__(
        self,
        *,
        generator: nn.Module,
        discriminator: nn.Module,
        latent: Latent,
        loss: Loss,
        generator_optimizer: OptimizerFactory,
        discriminator_optimizer: OptimizerFactory,
        generator_schedule: Schedule,
        discriminator_schedule: Schedule,
        penalty: Penalty | None = None,
        k: int = 1,
        g_steps: int = 1,
        simultaneous: bool = False,
        momentum: Schedule | None = None,
        ema_decay: float = 0.0,
        ema_power: float = 9.0,
        gradient_clip: float = 0.0,
        capture: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if simultaneous and g_steps != 1:
            raise ValueError(f"simultaneous updates have one step of each player, so g_steps must be 1, got {g_steps}")
        self.automatic_optimization = False
        self.generator, self.discriminator = generator, discriminator
        self.latent, self.loss, self.penalty = latent, loss, penalty
        self.optimizer_factories = (discriminator_optimizer, generator_optimizer)
        self.schedules = (discriminator_schedule, generator_schedule)
        self.k, self.g_steps, self.simultaneous = k, g_steps, simultaneous
        self.momentum = momentum
        self.ema_decay, self.ema_power = ema_decay, ema_power
        self.gradient_clip, self.capture, self.seed = gradient_clip, capture, seed
        self.generator_ema = copy.deepcopy(generator).requires_grad_(False) if ema_decay else None
        self.iteration = 0
        self.total_iterations = 1
        self.recordings: tuple[Recording, ...] = ()  # the players', while they are captured
        self._norms: dict[str, Tensor] = {}

    @property
    def players(self) -> tuple[nn.Module, nn.Module]:
        """D and G, in the order of the optimizers."""
        return self.discriminator, self.generator

    # Algorithm 1

    def training_step(self, real: Tensor, batch_idx: int) -> dict[str, Tensor]:
        """One minibatch of the game.

        Returns:
            What happened, as detached scalars: see :meth:`report`, and ``loss/generator`` when it was G's turn.
        """
        # All that this step draws, noise and dropout, is a function of (seed, minibatch): a resumed run
        # draws it again, and every process draws the whole of it and keeps its rows.
        reseed(self.device, derive(self.seed, "step", self.iteration))
        generators_turn = (self.iteration + 1) % self.k == 0
        if generators_turn and self.simultaneous:
            report = self.simultaneous_step(real)
        else:
            report = self.turn(0, self.discriminator_step, real)
            for _ in range(self.g_steps * generators_turn):
                report |= self.turn(1, self.generator_step, len(real))
        self.iteration += 1
        # Lightning's own limits count the steps of both optimizers, and from where a resumed run began.
        if self.iteration >= self.total_iterations:
            self.trainer.should_stop = True
        return report

    def turn(self, player: int, step: Callable[..., dict[str, Tensor]], *inputs: Tensor | int) -> dict[str, Tensor]:
        """A player's step, from its recording where one is made, and what follows it."""
        try:
            report = self.recordings[player](*inputs) if self.recordings else step(*inputs)
        except NotRecordableError as error:
            log.warning("trainer.capture: %s's turn cannot be recorded (%s): step by step.", PLAYERS[player], error)
            self.recordings = ()
            report = step(*inputs)
        self.follow(player)
        return report

    def discriminator_step(self, real: Tensor) -> dict[str, Tensor]:
        """D ascends its stochastic gradient on m images and m samples; no graph through G is built."""
        with torch.no_grad():
            fake = self.generator(self.noise(len(real))).float()
        real_logits, fake_logits = self.logits_of_both(real, fake)
        loss = self.loss.discriminator(real_logits, fake_logits)
        if self.penalty is not None:
            loss = loss + self.penalty(self.discriminator, real, fake)
        self.backward_of(0, loss)
        self.step(0)
        return self.report(real_logits, fake_logits, loss)

    def generator_step(self, count: int) -> dict[str, Tensor]:
        """G descends its stochastic gradient on m fresh samples; no gradient for D's weights is computed."""
        with frozen(self.discriminator):
            loss = self.loss.generator(self.logits(self.generator(self.noise(count)).float()))
            self.backward_of(1, loss)
            self.step(1)
        return {"loss/generator": loss.detach()}

    def simultaneous_step(self, real: Tensor) -> dict[str, Tensor]:
        """Both players step from the same point: one forward, both gradients, then both updates."""
        fake = self.generator(self.noise(len(real))).float()
        # Between the players the graph is cut, so that each backward meets one player's weights only.
        seen = fake.detach().requires_grad_(True)
        real_logits, fake_logits = self.logits(real), self.logits(seen)
        discriminator_loss = self.loss.discriminator(real_logits, fake_logits)
        if self.penalty is not None:
            discriminator_loss = discriminator_loss + self.penalty(self.discriminator, real, fake.detach())
        generator_loss = self.loss.generator(fake_logits)
        (at_images,) = torch.autograd.grad(generator_loss, seen, retain_graph=True)
        self.backward_of(0, discriminator_loss, inputs=list(self.discriminator.parameters()))
        self.backward_of(1, (fake * at_images).sum())  # the chain rule from the images on
        for player in range(2):
            self.step(player)
        for player in range(2):
            self.follow(player)
        report = self.report(real_logits, fake_logits, discriminator_loss)
        return report | {"loss/generator": generator_loss.detach()}

    @staticmethod
    def report(real_logits: Tensor, fake_logits: Tensor, loss: Tensor) -> dict[str, Tensor]:
        """What D made of a minibatch: its mean outputs, the shares it got right, its loss; detached scalars."""
        real_logits, fake_logits = real_logits.detach(), fake_logits.detach()
        return {
            "D(x)": real_logits.sigmoid().mean(),
            "D(G(z))": fake_logits.sigmoid().mean(),
            "rate/true_positive": (real_logits > 0).float().mean(),
            "rate/true_negative": (fake_logits < 0).float().mean(),
            "loss/discriminator": loss.detach(),
        }

    def backward_of(self, player: int, loss: Tensor, **arguments) -> None:
        """A player's gradient (0 for D, 1 for G) in place of its last one."""
        for group in self.trainer.optimizers[player].param_groups:
            for parameter in group["params"]:
                parameter.grad = None  # what zero_grad does, without what it does besides
        self.manual_backward(loss, **arguments)

    def step(self, player: int) -> None:
        """One step of a player's optimizer, and its weights brought back to where they may be."""
        self.optimizers()[player].step()
        self.players[player].constrain()

    def follow(self, player: int) -> None:
        """What the host does after a player's step: the next rate and momentum, G's average."""
        optimizer, schedule = self.optimizers()[player], self.lr_schedulers()[player]
        schedule.step()
        if self.momentum is not None:
            value = self.momentum(schedule.last_epoch, self.total_updates()[player])
            for group in optimizer.param_groups:
                group["momentum"] = value
        if player == 1:
            self.update_average()

    def logits(self, images: Tensor) -> Tensor:
        """D's logits (B,) in float32: the objectives are computed in it under any precision."""
        return self.discriminator(images).float()

    def logits_of_both(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits of images and of samples, in one pass where D looks at each for itself."""
        if self.discriminator.mixes_batch:
            return self.logits(real), self.logits(fake)
        return self.logits(torch.cat([real, fake])).split([len(real), len(fake)])

    def noise(self, count: int) -> Tensor:
        """This process's ``count`` rows of the noise of all processes."""
        rank, world = self.trainer.global_rank, self.trainer.world_size
        return self.latent(count * world, self.device)[rank::world]

    # Optimization

    def on_train_start(self) -> None:
        self.recordings = ()
        if (average := self.generator_ema) is not None:  # now that everything is on its device
            buffers = zip(average.buffers(), self.generator.buffers(), strict=True)
            self._averaged = list(average.parameters()), list(self.generator.parameters()), list(buffers)
        if not self.capture:
            return
        if (why := capture_unavailable(self, self.trainer)) is not None:
            log.warning("trainer.capture: %s: step by step.", why)
            return
        turns = (self.discriminator_step, self.generator_step)
        pairs = zip(turns, self.trainer.optimizers, strict=True)
        self.recordings = tuple(Recording(turn, optimizer, CudaGraph()) for turn, optimizer in pairs)

    def on_train_end(self) -> None:
        self.recordings = ()  # their memory

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LambdaLR]]:
        pairs = zip(self.optimizer_factories, self.players, strict=True)
        optimizers = [make(player.parameters()) for make, player in pairs]
        factors = [
            lambda update, schedule=schedule, total=total: schedule(update, total)
            for schedule, total in zip(self.schedules, self.total_updates(), strict=True)
        ]
        return optimizers, [LambdaLR(o, f) for o, f in zip(optimizers, factors, strict=True)]

    def total_updates(self) -> tuple[int, int]:
        """Updates of D and of G in the whole run."""
        return self.total_iterations, max(1, self.total_iterations // self.k * self.g_steps)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        # Here and not in the step: under 16-mixed the gradients are unscaled only now.
        if self.gradient_clip:
            player = self.trainer.optimizers.index(getattr(optimizer, "optimizer", optimizer))
            weights = self.players[player].parameters()
            self._norms[PLAYERS[player]] = clip_grad_norm_(weights, self.gradient_clip)

    def gradient_norms(self) -> dict[str, Tensor]:
        """The Euclidean norm of each player's latest gradient, before clipping; nothing of who has had no turn."""
        for name, player in zip(PLAYERS, self.players, strict=True):
            gradients = [p.grad for p in player.parameters() if p.grad is not None]
            if gradients and not self.gradient_clip:
                self._norms[name] = get_total_norm(gradients)
        return {name: norm.to(self.device) for name, norm in self._norms.items()}

    @torch.no_grad()
    def update_average(self) -> None:
        """Moves the averaged generator by one update.

        The decay grows to ``ema_decay`` as (1 + t) / (1 + t + power) with the updates t, so that a short
        run's average is not dominated by the random start.
        """
        if self.generator_ema is None:
            return
        update = self.lr_schedulers()[1].last_epoch  # G's updates so far, from 1
        decay = min(self.ema_decay, (1 + update) / (1 + update + self.ema_power))
        averages, currents, buffers = self._averaged
        torch._foreach_lerp_(averages, currents, 1 - decay)
        for kept, buffer in buffers:
            kept.copy_(buffer)

    # What others ask for

    def generators(self) -> dict[str, nn.Module]:
        """The generators to look at: ``raw``, and ``ema`` where an average is kept."""
        return {"raw": self.generator} | ({"ema": self.generator_ema} if self.generator_ema is not None else {})

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["iteration"] = self.iteration
        # G's latest turn may lie before the checkpoint and the next look at its gradient behind it.
        checkpoint["gradient_norms"] = self.gradient_norms()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.iteration = checkpoint["iteration"]
        self._norms = dict(checkpoint.get("gradient_norms", {}))


@torch.no_grad()
def sample(generator: nn.Module, z: Tensor) -> Tensor:
    """Images (B, C, H, W) in [0, 1] for noise z, the generator as in use: no dropout, running statistics."""
    was_training = generator.training
    generator.eval()
    try:
        return generator(z).float()
    finally:
        generator.train(was_training)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """The network's parameters require no gradient inside, and again as before outside, come what may."""
    trained = [p for p in network.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
