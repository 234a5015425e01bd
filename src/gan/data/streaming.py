"""Batches of images that are read from disk, in the same order as batches from memory."""

import itertools
import signal
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gan.data.base import Batches
from gan.data.cache import Pixels, usable_cores


class Mapped(Dataset):
    """The first ``count`` images of a file of pixels, indexed by whole batches."""

    def __init__(self, pixels: Pixels, count: int) -> None:
        self.pixels, self.count = pixels, count
        self._map: np.memmap | None = None

    def __len__(self) -> int:
        return self.count

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is not forked opens the file itself, because pickling the memory map would copy all of it.
        return self.__dict__ | {"_map": None}

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        """uint8 (B, C, H, W)."""
        if self._map is None:
            self._map = np.memmap(self.pixels.path, np.uint8, "r", shape=self.pixels.shape)
        return torch.from_numpy(np.asarray(self._map[rows]))


class Streamed(Batches):
    """Same as :class:`Batches`, but worker processes prefetch the batches from a file.

    Args:
        images: the file.
        labels: int64 (N,), in memory.
        device: the device of the batches.
        workers: number of worker processes; 0 reads in the main process.
        **stream: see :class:`Batches`.
    """

    def __init__(self, images: Mapped, labels: Tensor, device: torch.device, workers: int, **stream: Any) -> None:
        super().__init__(images, labels, **stream)
        self.device, self.workers = device, min(workers, usable_cores())

    def gather(self) -> Iterator[tuple[Tensor, Tensor]]:
        read, given = itertools.tee(self.rows(torch.device("cpu")))
        loader: DataLoader = DataLoader(
            self.images,
            batch_size=None,  # the sampler yields whole batches
            sampler=(rows.numpy() for rows in read),
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=leave_signals_to_the_parent,
            generator=torch.Generator(),  # otherwise the workers' seeds would use the global generator
        )
        with warnings.catch_warnings():
            # Python 3.12 and later warn of locks that other threads may hold. The workers use none of them.
            warnings.filterwarnings("ignore", message=r".*multi-threaded, use of fork\(\)", category=DeprecationWarning)
            batches = iter(loader)
        for images, rows in zip(batches, given, strict=True):
            yield images.to(self.device, non_blocking=True), self.labels[rows].to(self.device, non_blocking=True)


def leave_signals_to_the_parent(worker: int) -> None:
    """Ignores Ctrl-C in a worker: it reaches all processes, but the parent finishes its batch and ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
