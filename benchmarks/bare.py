"""The training of ``train.py`` as a bare loop: the same weights to the bit, without Lightning and its module.

The time of this loop is the cost of the mathematics; the rest of ``train.py``'s time is overhead.
"""

import copy
import os
import sys
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from benchmarks.game import Game, make
from benchmarks.turns import Turns
from gan.core.batch import Output
from gan.core.random import RandomRows, derive, reseed
from gan.losses.base import Pair
from gan.methods.tricks import configure_process, use_fast_layers


class Bare:
    """Generator, discriminator, their optimizers and the data, all on one device.

    Args:
        game: what to train: one step of D and one of G on every batch, with Adam and a linear schedule.
    """

    def __init__(self, game: Game) -> None:
        self.game, self.device = game, torch.device(game.device)
        images, mean_image = game.load_images()
        self.images = images.to(self.device)
        networks = [use_fast_layers(network.to(self.device)) for network in game.networks(mean_image)]
        self.generator, self.discriminator = networks
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.latent, self.loss = make(game.latent), make(game.loss)
        self.generator_optimizer, self.discriminator_optimizer = (
            torch.optim.Adam(network.parameters(), **game.optimizers[player], fused=True)
            for player, network in (("generator", self.generator), ("discriminator", self.discriminator))
        )
        self.weights = [list(network.parameters()) for network in (self.generator, self.average)]
        self.rows = self.order()
        self.played = 0

    def minibatch(self) -> None:
        """One step of D and one of G."""
        game = self.game
        # As in Lightning, without a cache of cast weights: cached weights would lack the graph in G's step.
        with game.autocast(cache_enabled=False):
            reseed(self.device, derive(game.seed, "step", self.played))
            real = self.images[next(self.rows)].to(torch.float32).div_(255)
            self.discriminator_step(real)
            self.generator_step()
        self.played += 1

    def discriminator_step(self, real: Tensor) -> None:
        with torch.no_grad():
            fake = self.generator(self.noise()).float()
        loss = self.loss.discriminator(answered(*self.judge(real, fake)))
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.update(self.discriminator, self.discriminator_optimizer, "discriminator")

    def judge(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits for images and for samples, (B,) each."""
        if self.discriminator.mixes_batch:
            return self.discriminator.score(real).float(), self.discriminator.score(fake).float()
        return self.discriminator.score(torch.cat([real, fake])).float().chunk(2)

    def generator_step(self) -> None:
        freeze(self.discriminator, True)
        logits = self.discriminator.score(self.generator(self.noise()).float()).float()
        loss = self.loss.generator(answered(None, logits))
        self.generator_optimizer.zero_grad()
        loss.backward()
        freeze(self.discriminator, False)
        self.update(self.generator, self.generator_optimizer, "generator")
        self.update_average()

    def update(self, network: nn.Module, optimizer: torch.optim.Optimizer, player: str) -> None:
        """An optimizer step with the learning rate of this batch."""
        game = self.game
        left = (1 - self.played / game.minibatches) / (1 - game.hold)
        optimizer.param_groups[0]["lr"] = game.optimizers[player]["lr"] * min(1.0, max(0.0, left))
        optimizer.step()
        network.constrain()

    @torch.no_grad()
    def update_average(self) -> None:
        """Updates the EMA of the generator."""
        update = self.played + 1
        decay = min(self.game.ema_decay, (1 + update) / (1 + update + self.game.ema_power))
        current, average = self.weights
        torch._foreach_lerp_(average, current, 1 - decay)
        for kept, buffer in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            kept.copy_(buffer)

    def noise(self) -> Tensor:
        return self.latent.draw(RandomRows(self.device), self.game.batch_size)

    def order(self) -> Iterator[Tensor]:
        """Yields the indices (B,) of the images of each batch, without end."""
        batch_size, epoch = self.game.batch_size, 0
        while True:
            generator = torch.Generator().manual_seed(derive(self.game.seed, "order", epoch))
            order = torch.randperm(len(self.images), generator=generator).to(self.device)
            for start in range(0, len(order) - batch_size + 1, batch_size):
                yield order[start : start + batch_size]
            epoch += 1


def answered(real: Tensor | None, fake: Tensor) -> Pair:
    """A pair with D's logits for images and for samples."""
    pair = Pair(None, None, None)
    pair.real_output, pair.fake_output = Output(logits=real), Output(logits=fake)
    return pair


def freeze(network: nn.Module, frozen: bool) -> None:
    """Turns gradients of the network's weights off or on."""
    for parameter in network.parameters():
        parameter.requires_grad_(not frozen)


def main(path: str) -> None:
    # As in train.py, where Lightning sets them.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    configure_process()
    game = Game.read(path)
    bare = Bare(game)
    turns = Turns.from_environment(game.device)
    for _ in range(game.minibatches):
        bare.minibatch()
        turns.done()


if __name__ == "__main__":
    main(sys.argv[1])
