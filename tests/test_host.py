"""What a process is told, seen from outside."""

import ctypes
import os
import platform
import subprocess
import sys
from importlib import import_module

import pytest
import torch
from omegaconf import OmegaConf

from gan.host import keep_freed_memory, settle

SCRIPT = """
import resource
import torch
from gan.host import keep_freed_memory
{call}
def step():  # blocks as a minibatch has them, the largest one on top
    for size in (2**20, 2**21):
        torch.ones(size)
for _ in range(5):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 20)
"""


def pages_cleared(call: str, **environment: str) -> int:
    """Pages that a step makes the system clear."""
    command = [sys.executable, "-c", SCRIPT.format(call=call)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment)
    return int(answer.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc")
def test_freed_memory_is_used_again():
    # As glibc is without its rule of thumb, which helps some programs and not others.
    hard = {"MALLOC_MMAP_THRESHOLD_": "131072", "OMP_NUM_THREADS": "1"}
    assert pages_cleared("", **hard) > 1000
    assert pages_cleared("keep_freed_memory()", **hard) < 100


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
    settle()
    assert "PYTORCH_NVML_BASED_CUDA_CHECK" not in os.environ
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    settle()
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"


@pytest.mark.parametrize("module", ["train", "evaluation", "sampling"])
def test_every_command_computes_convolutions_in_float32(module, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with pytest.raises(Exception):  # noqa: B017, PT011 (nothing is configured)
        import_module(f"gan.{module}").run(OmegaConf.create({"ckpt_path": None}))
    assert torch.backends.cudnn.allow_tf32 is False
