"""A training leaves no trace in the process: threads, flags, random states and the environment are restored."""

import os
import random

import numpy as np
import pytest
import torch

from gan.core.process_state import restored_process_state


def state():
    return {
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "matmul": torch.get_float32_matmul_precision(),
        "environment": dict(os.environ),
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),
        "torch": torch.get_rng_state().tolist(),
    }


def change_everything():
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(not torch.are_deterministic_algorithms_enabled())
    torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
    torch.set_float32_matmul_precision("medium")
    os.environ["LOCAL_RANK"] = "0"
    os.environ.pop("PATH")
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)


@pytest.mark.parametrize("fails", [False, True])
def test_everything_that_a_training_changes_is_restored(fails):
    before = state()
    try:
        with restored_process_state():
            change_everything()
            changed = state()
            if fails:
                raise ValueError
    except ValueError:
        pass
    after = state()
    assert all(changed[name] != before[name] for name in before)
    assert after == before
