"""Endless random examples from a known distribution."""

from abc import abstractmethod
from collections.abc import Callable, Iterator

import torch
from torch import Generator

from gan.core.batch import Batch
from gan.core.checks import check_integer
from gan.core.random import derive
from gan.data.base import Source


class Draws:
    """An endless stream of batches, each a function of (seed, batch number).

    Args:
        draw: maps (count, generator) to a batch on the CPU.
        batch_size: examples per process.
        batches: number of batches that Lightning counts as an epoch.
        seed: the run's seed.
        position: returns the number of batches trained on.
        rank, world: this process and the number of processes; process r takes examples r, r + world, … of the
            ``world * batch_size`` that are drawn.
        device: the device of the batches.
    """

    def __init__(
        self,
        draw: Callable[[int, Generator], Batch],
        batch_size: int,
        batches: int,
        seed: int,
        position: Callable[[], int],
        rank: int = 0,
        world: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.draw, self.batches = draw, batches
        self.seed, self.position, self.device = seed, position, device
        self.rank, self.world, self.total = rank, world, batch_size * world

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        # This is a generator, as in Batches, because a checkpoint may be restored after iter().
        number = self.position()
        while True:
            generator = Generator().manual_seed(derive(self.seed, "data", number))
            batch = self.draw(self.total, generator)
            yield batch.map(lambda value: value[self.rank :: self.world].to(self.device))
            number += 1

    # With these two methods Lightning assumes that the loader can resume in the middle of an epoch.
    def state_dict(self) -> dict:
        """Nothing: the order is a function of the seed and the iteration."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Does nothing, see :meth:`state_dict`."""


class Endless(Source):
    """Base class of sources that draw new training examples for each batch: subclasses implement ``draw``.

    A subclass that also has fixed examples for metrics sets ``has_fixed_examples`` and fills ``splits``.

    Args:
        batches_per_epoch: number of batches counted as an epoch; the stream itself has no epochs.
        **common: see :class:`Source`.
    """

    has_fixed_examples = False

    def __init__(self, batches_per_epoch: int = 100, **common) -> None:
        super().__init__(**common)
        check_integer("[1, inf)", batches_per_epoch=batches_per_epoch)
        self.epoch_length = batches_per_epoch

    @abstractmethod
    def draw(self, count: int, generator: Generator) -> Batch:
        """``count`` random examples, a function of the generator's state alone."""

    def batches_per_epoch(self, world: int = 1) -> int:
        return self.epoch_length

    def train_dataloader(self) -> Draws:
        device = self.trainer.strategy.root_device
        return Draws(self.draw, batches=self.epoch_length, device=device, **self.stream())
