"""What a process is told."""

import ctypes
import os
import subprocess
import sys
from importlib import import_module

import pytest
import torch
from omegaconf import OmegaConf

from gan.training.process import configure_process, keep_freed_memory


class Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    ]


def kept(library, size):
    """Bytes that the library keeps when a block of this size is freed."""
    block = library.malloc(size)
    before = library.mallinfo2().fordblks
    library.free(block)
    return library.mallinfo2().fordblks - before


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="about glibc 2.33 or newer")
def test_freed_memory_is_used_again():
    """In a process of its own: here other tests have left free memory, from which a block would be taken."""
    code = "from tests.training.test_process import freed_memory_is_used_again as check; check()"
    subprocess.run([sys.executable, "-c", code], check=True)


def freed_memory_is_used_again():
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Mallinfo2
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    size = 2**24
    mmap_threshold, trim_threshold = -3, -1
    library.mallopt(mmap_threshold, 2**17)  # as glibc begins
    library.mallopt(trim_threshold, 2**17)
    assert kept(library, size) < size / 2
    keep_freed_memory()
    assert kept(library, size) >= size


@pytest.mark.parametrize(("largest", "told"), [(2**28, [28, 30]), (2**25, [28, 25, 30]), (0, [28, 25])])
def test_older_libraries_are_not_told_half(monkeypatch, largest, told):
    """Without the one threshold the other is worse than none."""
    asked = []

    class Library:
        @staticmethod
        def mallopt(key, value):
            asked.append(value.bit_length() - 1)
            return int(key == -1 or value <= largest)

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    keep_freed_memory()
    assert asked == told


def test_no_library_is_looked_for_at_each_step(monkeypatch):
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    configure_process()
    assert "PYTORCH_NVML_BASED_CUDA_CHECK" not in os.environ
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    configure_process()
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"


@pytest.mark.parametrize("module", ["train", "evaluate", "sample"])
def test_every_command_computes_convolutions_in_float32(module, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with pytest.raises(Exception):  # noqa: B017, PT011 (nothing is configured)
        import_module(f"gan.app.{module}").run(OmegaConf.create({"ckpt_path": None}))
    assert torch.backends.cudnn.allow_tf32 is False
