"""One number at a time from a normal distribution: the one source whose density is known."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gan.data.base import Source
from gan.seeding import derive


class Draws:
    """An endless stream of minibatches of normal numbers, each a function of (seed, minibatch number).

    Args:
        mean, deviation: of the distribution.
        batch_size: numbers per process.
        batches: minibatches that Lightning is to call an epoch.
        seed: the run's seed.
        position: tells how many minibatches the game has seen.
        rank, world: this process and their number; process r takes numbers r, r + world, … of the
            ``world * batch_size`` that are drawn.
        device: where the minibatches are wanted.
    """

    def __init__(
        self,
        mean: float,
        deviation: float,
        batch_size: int,
        batches: int,
        seed: int,
        position: Callable[[], int],
        rank: int = 0,
        world: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.mean, self.deviation, self.batches = mean, deviation, batches
        self.seed, self.position, self.device = seed, position, device
        self.rank, self.world, self.total = rank, world, batch_size * world

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Tensor]:
        # A generator, as in Batches: a checkpoint may be restored after iter().
        minibatch = self.position()
        while True:
            generator = torch.Generator().manual_seed(derive(self.seed, "data", minibatch))
            x = self.mean + self.deviation * torch.randn(self.total, generator=generator)
            yield x[self.rank :: self.world].view(-1, 1, 1, 1).to(self.device)
            minibatch += 1

    # Lightning takes a loader with these for one that can go on in the middle of an epoch.
    def state_dict(self) -> dict:
        return {}

    def load_state_dict(self, state: dict) -> None:
        pass


class Gaussian(Source):
    """Endless numbers from N(mean, deviation²), as float32 (B, 1, 1, 1).

    The one exception to the image contract: the values do not lie in [0, 1]. A generator that is to fit
    them must not end in a sigmoid or tanh.

    Args:
        mean, deviation: of the distribution; the deviation is positive.
        batches_per_epoch: what counts as an epoch of a stream that has none, in minibatches.
        **common: see :class:`Source`.
    """

    def __init__(self, mean: float = 4.0, deviation: float = 1.25, batches_per_epoch: int = 100, **common) -> None:
        super().__init__(**common)
        if not deviation > 0:
            raise ValueError(f"deviation must be positive, got {deviation}")
        if (self.channels, self.image_size) != (1, 1):
            raise ValueError(f"a number has channels=1 and image_size=1, got {self.channels} and {self.image_size}")
        self.mean, self.deviation, self.epoch_length = mean, deviation, batches_per_epoch

    def density(self, x: Tensor) -> Tensor:
        """p_data(x), of any shape."""
        return torch.exp(-(((x - self.mean) / self.deviation) ** 2) / 2) / (self.deviation * math.sqrt(2 * math.pi))

    def mean_image(self) -> Tensor:
        return torch.full((1, 1, 1), float(self.mean))

    def batches_per_epoch(self, world: int = 1) -> int:
        return self.epoch_length

    def describe(self) -> str:
        return f"{type(self).__name__}: endless numbers of mean {self.mean:g}, deviation {self.deviation:g}"

    def train_dataloader(self) -> Draws:
        trainer = self.trainer
        return Draws(
            self.mean,
            self.deviation,
            self.batch_size,
            self.epoch_length,
            self.seed,
            position=lambda: trainer.lightning_module.minibatch,
            rank=trainer.global_rank,
            world=trainer.world_size,
            device=trainer.strategy.root_device,
        )
