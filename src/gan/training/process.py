"""What a process is told before it trains, or looks at what has been trained."""

import ctypes
import os

import torch

# of glibc's malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def configure_process() -> None:
    """Takes away what costs every step of a run and gives nothing."""
    # Memory that is about to be written need not be filled first: it does not make a run more repeatable.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # An optimizer asks at every step whether there is a GPU. Where there is none, the cautious way that Lightning
    # chose for this question loads a library each time.
    if not torch.cuda.is_available():
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    keep_freed_memory()


def true_float32() -> None:
    """Lets convolutions on a GPU be computed in float32, as matrix products are.

    Left alone, NVIDIA's library takes TensorFloat-32 for them, whose factors have ten bits: features, and with them
    every metric, would hang on the kind of GPU, and ``precision=32-true`` would not be what it says.
    """
    torch.backends.cudnn.allow_tf32 = False


def keep_freed_memory() -> None:
    """Lets the next minibatch have the memory of the last one.

    glibc gives large blocks back to the system as soon as they are free, which has to clear each page of the next
    ones: at 512 images a minibatch two thousand pages a step. Other libraries of C have no such switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    # Before 2.35 glibc takes no more than 32 MiB. The second one alone would end its rule of thumb for the first.
    if mallopt is not None and (mallopt(_MMAP_THRESHOLD, 2**28) or mallopt(_MMAP_THRESHOLD, 2**25)):
        mallopt(_TRIM_THRESHOLD, 2**30)
