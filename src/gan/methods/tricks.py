"""What makes a step faster and leaves what is computed as it is, but for rounding and which random bits are drawn.

Networks are built of torch's own layers. A fit swaps in faster ones (:func:`use_fast_layers`) and takes them out at its
end; names of weights and checkpoints do not change. docs/performance.md says what each gains; nothing under 3 % is
here. Start-up has a trick of its own, the garbage collector in :mod:`gan.app.command_line`.
"""

import ctypes
import math
import os

import torch
from torch import Tensor, nn

from gan.core.hardware import processor
from gan.methods.products import affine
from gan.networks.layers import Dropout

# of glibc's malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


class FastLinear(nn.Linear):
    """A linear layer by the faster of torch's two matrix products; see :mod:`gan.methods.products`."""

    def forward(self, x: Tensor) -> Tensor:
        return affine(x, self.weight, self.bias)


class FastDropout(Dropout):
    """Dropout with eight or sixteen random bits for each value in place of a random float.

    ``p`` is taken to the nearest 65,536th unless it is a whole number of 256ths.
    """

    @property
    def bits(self) -> torch.dtype:
        """As few random bits for a value as tell p from its neighbours."""
        return torch.int8 if float(self.p * 2**8).is_integer() else torch.int16

    def mask(self, x: Tensor, rank: int, world: int) -> Tensor:
        levels = 2 ** (8 * self.bits.itemsize)
        dropped = min(round(self.p * levels), levels - 1)
        draws = random_bits((len(x) * world, *x.shape[1:]), self.bits, x.device)[rank::world]
        kept = torch.ge(draws, dropped - levels // 2, out=torch.empty_like(x, requires_grad=False))
        return kept.mul_(levels / (levels - dropped))


def random_bits(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Uniform on all values of an integer dtype of one or two bytes."""
    if device.type not in ("cpu", "cuda"):  # Apple's has no random numbers of 64 bits
        half = 2 ** (8 * dtype.itemsize - 1)
        return torch.randint(-half, half, shape, device=device).to(dtype)
    # Four or eight from each random number: on a CPU a third of the time of a float for each.
    count = math.prod(shape)
    words = torch.empty(-(-count * dtype.itemsize // 8), dtype=torch.int64, device=device)
    return words.random_(-(2**63), None).view(dtype)[:count].view(shape)


def faster() -> dict[type, type]:
    """The layers that this machine computes faster in another way, and that way."""
    return {Dropout: FastDropout} | ({nn.Linear: FastLinear} if processor().fast_onednn else {})


def use_fast_layers(module: nn.Module) -> nn.Module:
    """Swaps in the faster layers, in place; layers with parametrized weights stay as they are."""
    return _swap(module, faster())


def use_plain_layers(module: nn.Module) -> nn.Module:
    """Takes the faster layers out again, in place."""
    return _swap(module, {FastDropout: Dropout, FastLinear: nn.Linear})


def _swap(module: nn.Module, classes: dict[type, type]) -> nn.Module:
    for layer in module.modules():
        if type(layer) in classes:
            layer.__class__ = classes[type(layer)]
    return module


def configure_process() -> None:
    """Process-wide settings before a training."""
    # Memory that is about to be written need not be filled first: it does not make a run more repeatable.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # An optimizer asks at every step whether there is a GPU. Where there is none, the cautious way that Lightning
    # chose for this question loads a library each time.
    if not torch.cuda.is_available():
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Lets the next batch have the memory of the last one.

    glibc gives large blocks back to the system as soon as they are free, which has to clear each page of the next
    ones: at 512 images a batch two thousand pages a step. Other libraries of C have no such switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    # Before 2.35 glibc takes no more than 32 MiB. The second one alone would end its rule of thumb for the first.
    if mallopt is not None and (mallopt(_MMAP_THRESHOLD, 2**28) or mallopt(_MMAP_THRESHOLD, 2**25)):
        mallopt(_TRIM_THRESHOLD, 2**30)
