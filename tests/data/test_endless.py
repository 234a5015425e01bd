"""The stream of random examples: it depends on neither the start nor the number of processes."""

from itertools import islice

import pytest
import torch

from gan.core.batch import Batch
from gan.core.random import derive
from gan.data.endless import Draws


def numbers(count, generator):
    return Batch(images=torch.randn(count, generator=generator).view(-1, 1, 1, 1), labels=torch.full((count,), -1))


def stream(count, start=0, batch_size=10, seed=1, **kwargs):
    """``count`` batches from batch ``start`` on."""
    draws = Draws(numbers, batch_size, 7, seed, position=lambda: start, **kwargs)
    return [batch.images for batch in islice(draws, count)]


def same(a, b):
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_each_batch_depends_only_on_seed_and_number():
    assert len({float(x[0]) for x in stream(50)}) == 50
    assert same(stream(10), stream(10))
    assert not same(stream(10), stream(10, seed=2))
    expected = numbers(10, torch.Generator().manual_seed(derive(1, "data", 3))).images
    assert torch.equal(stream(4)[3], expected)
    assert len(Draws(numbers, 10, 7, 1, position=lambda: 0)) == 7  # the length of an epoch for Lightning


@pytest.mark.parametrize("start", [0, 1, 6, 7, 8, 20])
def test_stream_can_start_at_any_position(start):
    assert same(stream(25)[start:], stream(25 - start, start=start))


def test_processes_split_the_global_batch():
    whole = stream(5, batch_size=20)
    for rank in (0, 1):
        assert same([x[rank::2] for x in whole], stream(5, batch_size=10, rank=rank, world=2))


def test_position_is_read_at_the_first_batch():
    position = {"now": 0}
    iterator = iter(Draws(numbers, 10, 7, 1, position=lambda: position["now"]))
    position["now"] = 4  # as when a checkpoint is restored after iter()
    assert torch.equal(next(iterator).images, stream(5)[4])
