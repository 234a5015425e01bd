"""Sample grids: the images in order, from fixed latents."""

import numpy as np
import torch
from PIL import Image

from gan.figures.drawing import CAPTION, grid


def test_grid_enlarges_by_whole_pixels_and_keeps_the_order():
    images = torch.rand(5, 1, 8, 8)
    picture = grid(images, columns=3)
    assert picture.shape == (3, 2 * (48 + 2) + 2, 3 * (48 + 2) + 2)
    top, left = 2 + 50, 2 + 50  # row 1, column 1 is image 4
    tile = picture[0, top : top + 48, left : left + 48]
    assert torch.equal(tile[::6, ::6], images[4, 0])
    assert torch.equal(tile[5::6, 5::6], images[4, 0])


def test_grids_of_both_generators_use_the_same_latents(configure, run_training, tmp_path):
    cfg = configure("trainer.max_steps=6", "callbacks.sample_grids.every_n_batches=3", "ema.decay=0.9", "logger=none")
    game = run_training(cfg)
    folder = tmp_path / "run" / "samples"
    steps = [f"step=000000{n}_{name}.png" for n in (0, 3, 6) for name in ("ema", "raw")]
    assert sorted(path.name for path in folder.iterdir()) == steps

    def read(name):
        return np.asarray(Image.open(folder / name))[:-CAPTION]

    assert (read("step=0000000_raw.png") == read("step=0000000_ema.png")).all()  # the EMA starts at the initial weights
    assert (read("step=0000006_raw.png") != read("step=0000000_raw.png")).any()
    assert (read("step=0000006_raw.png") != read("step=0000006_ema.png")).any()
    assert game.module.generator.training


def test_no_ema_grid_without_ema(configure, run_training, tmp_path):
    run_training(configure("trainer.max_steps=2", "ema.decay=0", "logger=none"))
    assert {path.name.split("_")[1] for path in (tmp_path / "run" / "samples").iterdir()} == {"raw.png"}


def test_grids_after_chosen_epochs(configure, run_training, tmp_path):
    epochs = ["callbacks.sample_grids.every_n_batches=1000", "callbacks.sample_grids.epochs=[1,3]"]
    run_training(configure(*epochs, "data.batch_size=400", "trainer.max_epochs=4", "ema.decay=0", "logger=none"))
    # Three batches an epoch; the first and the last step always have a grid.
    steps = [f"step={n:07d}_raw.png" for n in (0, 3, 9, 12)]
    assert sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()) == steps
