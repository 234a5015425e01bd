"""Packs of a batch: which rows they have, and that they do not depend on the number of processes."""

import pytest
import torch

from gan.core.batch import in_packs, unpacked


def test_pack_j_has_the_rows_j_and_j_plus_the_number_of_packs():
    assert in_packs(torch.arange(6), 3).tolist() == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize("world", [2, 3])
def test_packs_do_not_depend_on_the_number_of_processes(world):
    rows = torch.rand(12, 3)
    for rank in range(world):
        assert torch.equal(in_packs(rows[rank::world], 2), in_packs(rows, 2)[rank::world])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_unpacked_is_the_inverse(size):
    rows = torch.rand(6, 2, 5)
    assert torch.equal(unpacked(in_packs(rows, size)), rows)
