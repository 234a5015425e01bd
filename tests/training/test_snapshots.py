"""Snapshots of the 1-D game: their interval, no effect on training, and refusal for other data."""

import pytest
import torch
from hydra import compose, initialize_config_dir

from gan.app.command_line import CONF
from gan.core.errors import UserError
from gan.figures.snapshot1d import Snapshot


def numbers(folder, *overrides):
    words = ["data=gaussian", "latent.dim=1", "model=affine", "trainer=cpu", "logger=none", "trainer.max_steps=7"]
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return compose("train", [*words, f"output_dir={folder}", *overrides])


def test_snapshots_are_saved_at_their_interval_and_at_both_ends(run_training, tmp_path):
    watched = run_training(numbers(tmp_path / "a", "callbacks=one_dimension", "callbacks.snapshots.every_n_batches=3"))
    files = sorted((tmp_path / "a" / "snapshots").iterdir())
    assert [path.name for path in files] == [f"step=000000{n}.npz" for n in (0, 3, 6, 7)]
    first, last = Snapshot.load(files[0]), Snapshot.load(files[-1])
    assert torch.allclose(first.g, first.z)  # the affine generator starts as z
    weight, bias = (p.item() for p in watched.module.generator.parameters())
    assert torch.allclose(last.g, weight * last.z + bias, atol=1e-5)
    alone = run_training(numbers(tmp_path / "b", "callbacks=none"))
    for a, b in zip(watched.module.parameters(), alone.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_images_are_refused_before_the_first_step(run_training, configure):
    with pytest.raises(UserError, match=r"needs data=gaussian and latent.dim=1"):
        run_training(configure("callbacks=one_dimension", "logger=none"))
