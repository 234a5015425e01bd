"""Batches of images that stay on the disk, in the very order of those that do not."""

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
    """The first ``count`` images of a file of pixels, whole batches at a time."""

    def __init__(self, pixels: Pixels, count: int) -> None:
        self.pixels, self.count = pixels, count
        self._map: np.memmap | None = None

    def __len__(self) -> int:
        return self.count

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is not a fork opens the file itself: a map that is sent along is copied whole.
        return self.__dict__ | {"_map": None}

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        """uint8 (B, C, H, W)."""
        if self._map is None:
            self._map = np.memmap(self.pixels.path, np.uint8, "r", shape=self.pixels.shape)
        return torch.from_numpy(np.asarray(self._map[rows]))


class Streamed(Batches):
    """As :class:`Batches`, but worker processes read the batches ahead from a file.

    Args:
        images: the file.
        labels: int64 (N,), in memory.
        device: where the batches are wanted.
        workers: processes that read; 0 reads in this one.
        **stream: see :class:`Batches`.
    """

    def __init__(self, images: Mapped, labels: Tensor, device: torch.device, workers: int, **stream: Any) -> None:
        super().__init__(images, labels, **stream)
        self.device, self.workers = device, min(workers, usable_cores())

    def gather(self) -> Iterator[tuple[Tensor, Tensor]]:
        read, given = itertools.tee(self.rows(torch.device("cpu")))
        loader: DataLoader = DataLoader(
            self.images,
            batch_size=None,  # what the sampler names is a batch already
            sampler=(rows.numpy() for rows in read),
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=leave_signals_to_the_parent,
            generator=torch.Generator(),  # or its workers' seeds would be drawn from the global one
        )
        with warnings.catch_warnings():
            # Python 3.12 and later: about locks that other threads may hold. The workers take none of them.
            warnings.filterwarnings("ignore", message=r".*multi-threaded, use of fork\(\)", category=DeprecationWarning)
            batches = iter(loader)
        for images, rows in zip(batches, given, strict=True):
            yield images.to(self.device, non_blocking=True), self.labels[rows].to(self.device, non_blocking=True)


def leave_signals_to_the_parent(worker: int) -> None:
    """Ctrl-C reaches a whole group of processes: the parent finishes its batch and then ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
