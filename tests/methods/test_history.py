"""The buffer of earlier samples against a list in Python, and against the faults of published ones."""

from contextlib import nullcontext

import pytest
import torch

from gan.core.batch import Batch, in_packs
from gan.core.errors import UserError
from gan.core.random import RandomRows
from gan.methods.history import Replay
from gan.runs.build import build
from tests.test_conf import BARE


def seeded(seed=0):
    return RandomRows(generator=torch.Generator().manual_seed(seed))


def numbered(first, count):
    """Examples whose image, label and latent are their number."""
    numbers = torch.arange(first, first + count)
    return Batch(images=numbers.float().view(-1, 1, 1, 1), labels=numbers, z=numbers.float().view(-1, 1))


def shown(replay, step, batch=6, pack=1):
    """The numbers that D sees in a step, whose latest examples are batch · step, …"""
    seen = replay(numbered(step * batch + 1, batch), seeded(step), pack)
    assert torch.equal(seen.images.flatten(), seen.labels.float())
    assert torch.equal(seen.z.flatten(), seen.labels.float())
    return seen.labels.tolist()


@pytest.mark.parametrize(
    ("capacity", "batch", "pack"), [(7, 6, 1), (3, 6, 1), (12, 5, 1), (9, 1, 1), (9, 14, 2), (17, 28, 4)]
)
def test_replay_equals_a_list_of_packs(capacity, batch, pack):
    """A pack is of one step; examples are packs of one. What remains of the capacity stays empty."""
    count, room = batch // pack, capacity // pack
    replay, entries, half = Replay(capacity, (1, 1, 1), 1), [], count // 2
    for step in range(12):
        random = seeded(step)
        taken, order = random.uniform(half), random.uniform(room).argsort().tolist()
        latest = [[step * batch + 1 + j + row * count for row in range(pack)] for j in range(count)]
        old = [entries[int(u * len(entries))] for u in taken] if entries else latest[count - half :]
        seen = torch.tensor(shown(replay, step, batch, pack))
        assert in_packs(seen, pack).tolist() == latest[: count - half] + old
        places = order[:half] if len(entries) == room else range(len(entries), len(entries) + half)
        for place, new in zip(places, latest, strict=False):
            if place % room < len(entries):
                entries[place % room] = new
            else:
                entries.append(new)
        assert replay.filled == len(entries)
        assert replay.labels[: len(entries) * pack].view(-1, pack).tolist() == entries
        assert not replay.labels[room * pack :].any()


@pytest.mark.parametrize("pack", [1, 2])
def test_discriminator_of_packs_gets_packs_of_one_generator(configure, pack):
    """Every pixel that G makes is the number of the step."""
    view = ["view=packed", "view.packed.pack=2"] if pack == 2 else []
    module = build(configure("history=replay", *view, "data.batch_size=8", *BARE)).module
    seen, step = [], 0
    module.generator.forward = lambda z, labels=None: torch.full((len(z), 1, 8, 8), float(step))
    module.only_trainable = lambda player: nullcontext()
    module.discriminator_gradient = lambda pair, terms: seen.append(pair.fake.images[:, 0, 0, 0])
    real = Batch(images=torch.zeros(8, 1, 8, 8), labels=torch.zeros(8, dtype=torch.int64))
    for step in range(1, 20):
        module.discriminator_step(real, {"discriminator": {}})
        packs = in_packs(seen[-1], pack)  # (8 / pack, pack)
        assert (packs == packs[:, :1]).all()
        assert (packs[: 4 // pack] == step).all()
        assert (packs[4 // pack :] < step).all() or step == 1


def is_filled(replay):
    """The latest examples are kept."""
    shown(replay, 0)
    assert replay.filled == 3
    assert replay.labels[:3].tolist() == [1, 2, 3]


def falls_back_while_it_is_empty(replay):
    """D sees the latest examples alone, and no zeros."""
    assert shown(replay, 0) == [1, 2, 3, 4, 5, 6]


def replays_once_it_has_entries(replay):
    """In the second step half of the examples are from the first."""
    shown(replay, 0)
    seen = shown(replay, 1)
    assert seen[:3] == [7, 8, 9]
    assert set(seen[3:]) <= {1, 2, 3}


def counts_its_entries(replay):
    for step in range(5):
        shown(replay, step)
        assert replay.filled == min(3 * (step + 1), replay.capacity)


def replaces_old_entries(replay):
    """Once it is full, half of a batch is replaced in each step, and in the end every entry has been."""
    for step in range(40):
        before = set(replay.labels.tolist())
        shown(replay, step)
        assert len(set(replay.labels.tolist()) - before) == 3
    assert replay.labels.min() > 12


class StaysEmpty(Replay):
    """The result of an append is discarded (mjdietzx/SimGAN, issue 22)."""

    def forward(self, fake, random, pack=1):
        seen = super().forward(fake, random, pack)
        self.filled.zero_()
        self.labels.zero_()
        return seen


class ShowsNothingFirst(Replay):
    """An empty buffer's slice is no error, so that the fallback is never used."""

    def forward(self, fake, random, pack=1):
        empty = self.filled == 0
        seen = super().forward(fake, random, pack)
        return seen.map(lambda value: torch.cat([value[:3], 0 * value[3:]])) if empty else seen


class DoesNotCount(Replay):
    """The number of images is not increased, so that it is never full (xiaowei-hu/CycleGAN-tensorflow, issue 2)."""

    def forward(self, fake, random, pack=1):
        before = self.filled.clone()
        seen = super().forward(fake, random, pack)
        self.filled.copy_(before)
        return seen


class KeepsOldEntries(Replay):
    """Entries of a full buffer are never replaced (asked of a CycleGAN port, issue 46)."""

    def forward(self, fake, random, pack=1):
        before, full = self.state_dict(), self.filled == self.capacity
        before = {name: value.clone() for name, value in before.items()}
        seen = super().forward(fake, random, pack)
        if full:
            self.load_state_dict(before)
        return seen


FAULTS = {
    is_filled: StaysEmpty,
    falls_back_while_it_is_empty: ShowsNothingFirst,
    replays_once_it_has_entries: DoesNotCount,
    counts_its_entries: DoesNotCount,
    replaces_old_entries: KeepsOldEntries,
}


@pytest.mark.parametrize("check", FAULTS, ids=lambda check: check.__name__)
def test_published_fault_is_absent_and_would_be_found(check):
    check(Replay(12, (1, 1, 1), 1))
    with pytest.raises(AssertionError):
        check(FAULTS[check](12, (1, 1, 1), 1))


def test_state_is_restored_into_the_same_memory():
    replay, other = Replay(12, (1, 1, 1), 1), Replay(12, (1, 1, 1), 1)
    places = {name: value.data_ptr() for name, value in other.named_buffers()}
    for step in range(5):
        shown(replay, step)
    other.load_state_dict(replay.state_dict())
    assert [shown(replay, step) for step in range(5, 9)] == [shown(other, step) for step in range(5, 9)]
    assert places == {name: value.data_ptr() for name, value in other.named_buffers()}


def test_every_process_draws_the_same_rows():
    whole = seeded().uniform(4)
    for rank in range(2):
        rows = RandomRows(rank=rank, world=2, generator=torch.Generator().manual_seed(0)).everywhere
        assert torch.equal(rows.uniform(4), whole)


def test_discriminator_sees_earlier_samples_and_the_generator_does_not(configure, run_training):
    """D's passes have real images, latest samples and earlier ones; G's have latest samples."""
    cfg = configure("history=replay", "data.batch_size=8", *BARE, "trainer.max_steps=3")
    game = build(cfg)
    seen, made = [], []
    game.module.discriminator.register_forward_pre_hook(lambda net, inputs: seen.append(inputs[0].images.clone()))
    game.module.generator.register_forward_hook(lambda net, inputs, out: made.append(out.detach().clone()))
    game.data.prepare_data()
    game.data.setup("fit")
    game.module.total_iterations = 3
    game.trainer.fit(game.module, game.data)
    first, _, second, of_g = made[:4]
    assert torch.equal(seen[0][8:], first)
    assert torch.equal(seen[2][8:12], second[:4])
    for image in seen[2][12:]:
        assert any(torch.equal(image, old) for old in first[:4])
    assert torch.equal(seen[3], of_g)
    assert game.module.history.filled == 12


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optim.simultaneous=true"], "history and lookahead give D and G different inputs"),
        (["history.capacity=0"], "history.capacity must be a whole number of at least 1, got 0"),
    ],
)
def test_impossible_replay_is_refused_in_one_line(configure, words, message):
    with pytest.raises(UserError, match=message):
        build(configure("history=replay", *words))


@pytest.mark.parametrize(
    ("capacity", "words"), [(31, []), (31, ["view=packed"]), (29, ["view=packed", "view.packed.pack=4"])]
)
def test_a_buffer_smaller_than_half_a_batch_is_refused_before_the_training(configure, capacity, words):
    with pytest.raises(UserError, match=rf"^history\.capacity must be at least 32, half of a batch, got {capacity}\.$"):
        build(configure("history=replay", *words, "data.batch_size=64", f"history.capacity={capacity}"))
    build(configure("history=replay", *words, "data.batch_size=64", "history.capacity=32"))
