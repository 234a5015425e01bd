"""The game: Algorithm 1 of Goodfellow et al. 2014. Knows no layer, no formula and no data set."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gan.latents import Latent
from gan.losses import Loss
from gan.penalties import Penalty
from gan.schedules import Schedule
from gan.seeding import derive, reseed

PLAYERS = ("discriminator", "generator")  # in the order of the optimizers

OptimizerFactory = Callable[..., Optimizer]


class GAN(pl.LightningModule):
    """Two players, two optimizers, one step of Algorithm 1 per minibatch.

    D takes a step on every minibatch; G takes its steps on every k-th, each with fresh noise and a
    fresh forward through D. Images are float32 (B, C, H, W) in [0, 1], logits are (B,).

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
        ema_decay: decay of the generator's moving average in [0, 1); 0 for no average.
        gradient_clip: largest norm of a player's gradient; 0 for no clipping.
        seed: what all noise and dropout is derived from.

    Attributes:
        minibatch: minibatches played so far, the one axis of every curve and picture.
        total_minibatches: length of the whole run: it ends there and the schedules are drawn over it. Set by
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
        ema_decay: float = 0.0,
        gradient_clip: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = generator, discriminator
        self.latent, self.loss, self.penalty = latent, loss, penalty
        self.optimizer_factories = (discriminator_optimizer, generator_optimizer)
        self.schedules = (discriminator_schedule, generator_schedule)
        self.k, self.g_steps = k, g_steps
        self.ema_decay, self.gradient_clip, self.seed = ema_decay, gradient_clip, seed
        self.generator_ema = copy.deepcopy(generator).requires_grad_(False) if ema_decay else None
        self.minibatch = 0
        self.total_minibatches = 1

    # Algorithm 1

    def training_step(self, real: Tensor, batch_idx: int) -> dict[str, Tensor]:
        """One minibatch of the game.

        Returns:
            What happened, as detached scalars: ``D(x)``, ``D(G(z))``, ``loss/discriminator`` and, when it
            was G's turn, ``loss/generator``.
        """
        # All that this step draws, noise and dropout, is a function of (seed, minibatch): a resumed run
        # draws it again, and every process draws the whole of it and keeps its rows.
        reseed(self.device, derive(self.seed, "step", self.minibatch))
        report = self.discriminator_step(real)
        if (self.minibatch + 1) % self.k == 0:
            for _ in range(self.g_steps):
                report |= self.generator_step(len(real))
        self.minibatch += 1
        # Lightning's own limits count the steps of both optimizers, and from where a resumed run began.
        if self.minibatch >= self.total_minibatches:
            self.trainer.should_stop = True
        return report

    def discriminator_step(self, real: Tensor) -> dict[str, Tensor]:
        """D ascends its stochastic gradient on m images and m samples; no graph through G is built."""
        with torch.no_grad():
            fake = self.generator(self.noise(len(real))).float()
        real_logits, fake_logits = self.logits(real), self.logits(fake)
        loss = self.loss.discriminator(real_logits, fake_logits)
        if self.penalty is not None:
            loss = loss + self.penalty(self.discriminator, real, fake)
        self.update(0, loss)
        return {
            "D(x)": real_logits.detach().sigmoid().mean(),
            "D(G(z))": fake_logits.detach().sigmoid().mean(),
            "loss/discriminator": loss.detach(),
        }

    def generator_step(self, count: int) -> dict[str, Tensor]:
        """G descends its stochastic gradient on m fresh samples; no gradient for D's weights is computed."""
        with frozen(self.discriminator):
            loss = self.loss.generator(self.logits(self.generator(self.noise(count)).float()))
            self.update(1, loss)
        self.update_average()
        return {"loss/generator": loss.detach()}

    def update(self, player: int, loss: Tensor) -> None:
        """One step of a player's optimizer (0 for D, 1 for G) and of its learning-rate schedule."""
        optimizer, schedule = self.optimizers()[player], self.lr_schedulers()[player]
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        schedule.step()

    def logits(self, images: Tensor) -> Tensor:
        """D's logits (B,) in float32: the objectives are computed in it under any precision."""
        return self.discriminator(images).float()

    def noise(self, count: int) -> Tensor:
        """This process's ``count`` rows of the noise of all processes."""
        rank, world = self.trainer.global_rank, self.trainer.world_size
        return self.latent(count * world, self.device)[rank::world]

    # Optimization

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LambdaLR]]:
        turns = self.total_minibatches // self.k
        totals = (self.total_minibatches, max(1, turns * self.g_steps))
        networks = (self.discriminator, self.generator)
        optimizers = [make(net.parameters()) for make, net in zip(self.optimizer_factories, networks, strict=True)]
        factors = [
            lambda update, schedule=schedule, total=total: schedule(update, total)
            for schedule, total in zip(self.schedules, totals, strict=True)
        ]
        return optimizers, [LambdaLR(o, f) for o, f in zip(optimizers, factors, strict=True)]

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        # Here and not in the step: under 16-mixed the gradients are unscaled only now.
        if self.gradient_clip:
            self.clip_gradients(optimizer, self.gradient_clip, "norm")

    @torch.no_grad()
    def update_average(self) -> None:
        """Moves the averaged generator by one update.

        The decay grows to ``ema_decay`` as (1 + t) / (10 + t) over the first t updates, so that a short
        run's average is not dominated by the random start.
        """
        if self.generator_ema is None:
            return
        update = self.lr_schedulers()[1].last_epoch  # G's updates so far, from 1
        decay = min(self.ema_decay, (1 + update) / (10 + update))
        average, current = self.generator_ema, self.generator
        get_ema_multi_avg_fn(decay)(list(average.parameters()), list(current.parameters()), None)
        for kept, buffer in zip(average.buffers(), current.buffers(), strict=True):
            kept.copy_(buffer)

    # What others ask for

    def generators(self) -> dict[str, nn.Module]:
        """The generators to look at: ``raw``, and ``ema`` where an average is kept."""
        return {"raw": self.generator} | ({"ema": self.generator_ema} if self.generator_ema is not None else {})

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["minibatch"] = self.minibatch

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.minibatch = checkpoint["minibatch"]


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
