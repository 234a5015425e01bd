"""Allocations that fail: each is one line with the numbers behind it."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from gan.core.errors import one_line
from gan.core.memory import lack_of_memory

CFG = OmegaConf.create(
    {"a": {"hidden": [3 * 10**12, 5], "copy": "${b}"}, "b": 10**12, "seed": 10**20, "c": 1000, "d": True, "e": 1e15}
)
REQUESTS = [
    lambda: torch.empty(10**15),
    lambda: torch.empty(10**20),
    lambda: torch.randn(10**18, 100),
    lambda: torch.arange(10**19),
    lambda: torch.full((10**26,), -1),
    lambda: np.empty(10**16),
    lambda: np.empty(10**26),
    lambda: bytearray(10**17),
    lambda: [0] * 10**20,
]


@pytest.mark.parametrize("number", range(len(REQUESTS)))
def test_each_kind_of_request_names_the_largest_numbers(number):
    with pytest.raises(Exception) as error:  # noqa: PT011  (each library has its own)
        REQUESTS[number]()
    line = lack_of_memory(error.value, CFG)
    assert line.startswith("not enough memory")
    assert line.endswith("; the largest numbers are a.hidden.0=3000000000000, b=1000000000000.")
    assert ("for 4,000,000 GB at once" in line) == (number == 0)


def test_other_errors_are_no_lack_of_memory():
    with pytest.raises(RuntimeError) as error:
        torch.zeros(3) @ torch.zeros(4)
    assert lack_of_memory(error.value, CFG) is None


def test_without_large_numbers_the_advice_is_smaller_batches():
    assert lack_of_memory(MemoryError(), OmegaConf.create({"k": 1})) == (
        "not enough memory; take smaller batches or networks."
    )
    assert lack_of_memory(MemoryError(), OmegaConf.create({})).endswith("networks.")


def test_stack_of_torch_is_no_part_of_a_line():
    with pytest.raises(TypeError) as error:
        torch.empty(10**20)
    assert "frame #1" in str(error.value) or "Exception raised from" in str(error.value)
    assert one_line(error.value).endswith("Overflow when unpacking long long")
