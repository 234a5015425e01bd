"""Every random number of a run is a function of (seed, purpose, iteration).

An exact resume therefore needs no stored state. Every process of a distributed run can draw the same numbers and
keep its own rows.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF


def derive(seed: int, stream: str, index: int = 0) -> int:
    """A 32-bit seed for the ``index``-th use of ``stream``.

    Within a stream the 2**32 indices give 2**32 different seeds, because the map from index to seed is a
    bijection (the finalizer of MurmurHash3). It has 32 bits because torch's CPU generator keeps no more.

    Args:
        seed: the run's seed, any integer.
        stream: what the numbers are for ("step", "order", "pictures", …).
        index: the batch or epoch, from 0.
    """
    start = int.from_bytes(hashlib.blake2b(f"{seed}:{stream}".encode(), digest_size=4).digest(), "big")
    x = (start + index) & _MASK
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & _MASK
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & _MASK
    return x ^ (x >> 16)


def reseed(device: torch.device, seed: int) -> None:
    """Seeds the global generators of the CPU and of ``device``.

    Equivalent to ``torch.manual_seed``, which also records a stack trace for every type of accelerator that is
    not in use. That would cost half a millisecond per step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        getattr(torch, device.type).manual_seed(seed)


@contextmanager
def forked(device: torch.device) -> Iterator[None]:
    """Restores the global generators of the CPU and of ``device`` when the block ends."""
    if device.type == "cpu":
        with torch.random.fork_rng(devices=[]):
            yield
        return
    # `reseed` seeds only the current one of several devices of one type.
    with torch.random.fork_rng(devices=[device], device_type=device.type), torch.accelerator.device_index(device.index):
        yield


@dataclass(frozen=True)
class RandomRows:
    """Random numbers with one row per example of the batch.

    Each of w processes draws the rows of all processes and keeps its own. Together they have the same numbers as one
    process with a batch w times as large.

    Attributes:
        device: where the numbers are drawn.
        rank, world: this process and the number of processes; process r keeps rows r, r + world, …
        generator: the source; None for torch's global generator, which is reseeded in every iteration.
    """

    device: torch.device | str = "cpu"
    rank: int = 0
    world: int = 1
    generator: torch.Generator | None = None

    @property
    def everywhere(self) -> "RandomRows":
        """The same rows on every process: ``count`` rows in all."""
        return replace(self, rank=0, world=1)

    def uniform(self, count: int, *shape: int) -> Tensor:
        """Uniform on [0, 1), float32 (count, *shape)."""
        return self._mine(torch.rand(count * self.world, *shape, device=self.device, generator=self.generator))

    def normal(self, count: int, *shape: int) -> Tensor:
        """Standard normal N(0, 1), float32 (count, *shape)."""
        return self._mine(torch.randn(count * self.world, *shape, device=self.device, generator=self.generator))

    def integers(self, high: int, count: int) -> Tensor:
        """Uniform on 0 … high - 1, int64 (count,)."""
        return (self.uniform(count) * high).long()

    def _mine(self, whole: Tensor) -> Tensor:
        return whole[self.rank :: self.world]
