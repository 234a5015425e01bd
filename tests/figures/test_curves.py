"""Curves: points from the event files, one for each step, for one run and for several."""

import pytest

from gan.core.errors import UserError
from gan.figures import Curves
from gan.runs.folder import RunFolder
from gan.runs.run import open_run
from tests.figures.conftest import DIGITS
from tests.figures.reading import read_picture


def test_read_scalars_returns_the_logged_points(digits):
    points = RunFolder(digits.folder).read_scalars(["D(x)", "gradient_norm/generator"])
    assert [round(x * 21) for x, _ in points["D(x)"]] == [5, 10, 15, 20, 21]
    assert all(0 < y < 1 for _, y in points["D(x)"])
    assert len(points["gradient_norm/generator"]) == 5


def test_repeated_step_is_read_once(trained, tmp_path):
    """A run resumed in its own folder logs the points since its checkpoint again."""
    folder = tmp_path / "run"
    words = (*DIGITS, "callbacks.checkpoint.keep_every_n_epochs=1", "trainer.max_epochs=2")
    trained(*words, folder=folder)
    before = RunFolder(folder).read_scalars(["D(x)"])["D(x)"]
    trained(*words, f"ckpt_path='{folder}/checkpoints/epoch=0001.ckpt'", folder=folder)
    assert len(list(folder.glob("events.out.tfevents.*"))) == 2
    after = RunFolder(folder).read_scalars(["D(x)"])["D(x)"]
    assert after == before  # a resumed run logs the same values
    assert len({x for x, _ in after}) == len(after) == 9


def test_curves_of_one_run_and_of_several(digits, trained, tmp_path):
    (path,) = Curves(["D(x)", "D(G(z))"], level=0.5)(digits, tmp_path)
    assert path == tmp_path / "curves.png"
    colours = read_picture(path).flatten(1).T.unique(dim=0)
    blue, orange = (0x1F, 0x77, 0xB4), (0xFF, 0x7F, 0x0E)
    levels = (colours * 255).round().int().tolist()
    assert list(blue) in levels
    assert list(orange) in levels
    other = open_run(trained(*DIGITS, "seed=5", "loss=minimax"))
    (together,) = Curves("gradient_norm/generator", name="norms", log=True, epochs=0.5).compare(
        [digits, other], tmp_path
    )
    assert together.name == "norms.png"
    assert together.stat().st_size > 5000


def test_missing_scalars_are_reported(digits, numbers, tmp_path):
    with pytest.raises(UserError, match=r"has no scalar D\(y\). Did you mean 'D\(x\)'\? It has: D\(x\), D\(G\(z\)\)"):
        Curves(["D(y)"])(digits, tmp_path)
    digits.folder = tmp_path
    with pytest.raises(UserError, match="has no curves; they are written in a training with logger=tensorboard"):
        Curves(["D(x)"])(digits, tmp_path)
    with pytest.raises(ValueError, match="scalars must name at least one scalar"):
        Curves([])


def test_scalars_that_a_training_does_not_write_are_reported_before_it(digits):
    digits.scalars = ["loss/generator", "epoch"]  # as the training of a VAE
    with pytest.raises(UserError, match=r"figures.curves: this training has no scalar D\(x\)\. It has: loss/generator"):
        Curves(["loss/generator", "D(x)"]).check(digits)
    Curves(["loss/generator", "valid/frechet_distance/raw"]).check(digits)
    digits.scalars = []  # as with callbacks=none
    with pytest.raises(UserError, match="no curves are written in this training; take callbacks=default"):
        Curves(["loss/generator"]).check(digits)
