"""Comparing commits: which tensors count as equal, and which commands run."""

from collections import Counter

import pytest
import torch

from benchmarks import same_bits
from benchmarks.same_bits import command, hash_of, presets
from gan.app.command_line import CONF, check


def test_hash_depends_on_bits_shape_and_dtype():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert hash_of(x) == hash_of(x.clone()) == hash_of(x.t().contiguous().t())
    others = [x.flatten(), x.double(), torch.nextafter(x, torch.tensor(9.0)), torch.tensor([[1.0, 3.0], [2.0, 4.0]])]
    assert len({hash_of(x), *map(hash_of, others), hash_of(-torch.zeros(1)), hash_of(torch.zeros(1))}) == 7
    assert hash_of(torch.tensor(3)) != hash_of(torch.tensor(4))


@pytest.mark.slow
def test_every_self_contained_preset_is_compared():
    others = {"paper_tfd_2014_prepended", "latent_regressor"}  # which start from another run
    assert {path.stem for path in (CONF / "experiment").glob("*.yaml")} - set(presets()) == others


@pytest.mark.parametrize("preset", ["paper_cifar10_dense", "ring"])
def test_command_needs_no_data_files(preset):
    words = command(preset, 7)
    check(words, "train")
    assert "trainer.max_steps=7" in words
    assert ("data=digits" in words) == (preset == "paper_cifar10_dense")


@pytest.mark.parametrize(("after", "verdict"), [(["a", "b", "b"], "same"), (["a", "b", "c"], "DIFFERENT: 2 of 3")])
def test_verdict_counts_the_tensors_that_differ(monkeypatch, capsys, after, verdict):
    states = iter([Counter(["a", "b", "b"]), Counter(after)])
    monkeypatch.setattr(same_bits, "train", lambda *_: next(states))
    options = same_bits.parser().parse_args(["HEAD"])
    assert same_bits.report("ring", "old", "new", options) == (verdict == "same")
    assert verdict in capsys.readouterr().out
