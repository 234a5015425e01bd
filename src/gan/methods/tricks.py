"""Optimizations that make a step faster. They change only rounding and which random bits are drawn.

Networks are built of torch's own layers. A fit swaps in faster ones (:func:`use_fast_layers`) and removes them at its
end; the names of weights and checkpoints do not change. docs/performance.md gives the gain of each; only gains of at
least 3 % are kept. The optimization of the start-up, of garbage collection, is in :mod:`gan.app.command_line`.
"""

import ctypes
import math
import os

import torch
from torch import Tensor, nn

from gan.core.hardware import processor
from gan.methods.products import affine
from gan.networks.layers import Dropout

# constants of glibc's malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


class FastLinear(nn.Linear):
    """A linear layer that uses the faster of torch's two matrix products; see :mod:`gan.methods.products`."""

    def forward(self, x: Tensor) -> Tensor:
        return affine(x, self.weight, self.bias)


class FastDropout(Dropout):
    """Dropout with eight or sixteen random bits per value instead of a random float.

    ``p`` is rounded to the nearest multiple of 1/65,536, unless it is a multiple of 1/256.
    """

    @property
    def bits(self) -> torch.dtype:
        """The integer type of the random bits: one byte if p is a multiple of 1/256, else two."""
        return torch.int8 if float(self.p * 2**8).is_integer() else torch.int16

    def mask(self, x: Tensor, rank: int, world: int) -> Tensor:
        levels = 2 ** (8 * self.bits.itemsize)
        dropped = min(round(self.p * levels), levels - 1)
        draws = random_bits((len(x) * world, *x.shape[1:]), self.bits, x.device)[rank::world]
        kept = torch.ge(draws, dropped - levels // 2, out=torch.empty_like(x, requires_grad=False))
        return kept.mul_(levels / (levels - dropped))


def random_bits(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Uniform random integers over the whole range of an integer dtype of one or two bytes."""
    if device.type not in ("cpu", "cuda"):  # Apple's GPUs have no 64-bit random numbers
        half = 2 ** (8 * dtype.itemsize - 1)
        return torch.randint(-half, half, shape, device=device).to(dtype)
    # Each 64-bit random number gives four or eight values: on a CPU a third of the time of one float per value.
    count = math.prod(shape)
    words = torch.empty(-(-count * dtype.itemsize // 8), dtype=torch.int64, device=device)
    return words.random_(-(2**63), None).view(dtype)[:count].view(shape)


def faster() -> dict[type, type]:
    """Layer classes, each with the class that is faster on this machine."""
    return {Dropout: FastDropout} | ({nn.Linear: FastLinear} if processor().fast_onednn else {})


def use_fast_layers(module: nn.Module) -> nn.Module:
    """Swaps in the faster layers, in place; layers with parametrized weights are not changed."""
    return _swap(module, faster())


def use_plain_layers(module: nn.Module) -> nn.Module:
    """Restores torch's own layers, in place."""
    return _swap(module, {FastDropout: Dropout, FastLinear: nn.Linear})


def _swap(module: nn.Module, classes: dict[type, type]) -> nn.Module:
    for layer in module.modules():
        if type(layer) in classes:
            layer.__class__ = classes[type(layer)]
    return module


def configure_process() -> None:
    """Process-wide settings applied before training."""
    # Filling memory that is about to be overwritten does not make a run more reproducible.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # An optimizer checks at every step whether there is a GPU. Lightning selects a check that is safe with forks but
    # loads a library each time if there is no GPU.
    if not torch.cuda.is_available():
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Lets the next batch reuse the memory of the last one.

    glibc returns large blocks to the system as soon as they are free, and the system must clear each page of the next
    blocks: with 512 images per batch two thousand pages per step. Other C libraries have no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    # glibc before 2.35 accepts at most 32 MiB. Setting the trim threshold alone would turn off the automatic
    # adjustment of the mmap threshold.
    if mallopt is not None and (mallopt(_MMAP_THRESHOLD, 2**28) or mallopt(_MMAP_THRESHOLD, 2**25)):
        mallopt(_TRIM_THRESHOLD, 2**30)
