"""Figures of points in the plane: positions of the dots, and the steps at which they are written."""

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan.core.errors import UserError
from gan.figures.drawing import CAPTION, DRAWN, INK, REAL, SIDE, ink, plane

SQUARE = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])  # its window is [-1.3, 1.3]²


def test_dot_covers_three_by_three_pixels_at_its_point():
    middle = torch.zeros(2)
    share = ink(torch.tensor([[0.5, -0.25]]), middle, 1.0)
    expected = torch.zeros(SIDE, SIDE)
    expected[249:252, 299:302] = INK  # a quarter of the way below the middle row, half of it right of the middle
    assert torch.allclose(share, expected, atol=1e-6)
    twice = ink(torch.tensor([[0.5, -0.25], [0.5, -0.25]]), middle, 1.0)
    assert twice[250, 300].item() == pytest.approx(1 - (1 - INK) ** 2, abs=1e-6)


def test_points_outside_the_window_are_not_drawn():
    stray = torch.tensor([[2.0, 0.0], [0.0, -1.5], [1.0, 0.0], [float("nan"), 0.0], [float("inf"), 0.0]])
    assert ink(stray, torch.zeros(2), 1.0).abs().max() == 0
    assert ink(stray[:0], torch.zeros(2), 1.0).abs().max() == 0


def test_samples_are_drawn_over_real_points():
    real, samples = SQUARE[:, :, None, None], torch.tensor([1.0, 1.0, 50.0, 0.0]).view(2, 2, 1, 1)
    picture = plane(real, samples)
    assert picture.shape == (3, SIDE, SIDE)
    low, high = round((1 - 1 / 1.3) / 2 * SIDE), round((1 + 1 / 1.3) / 2 * SIDE)
    grey, red = torch.tensor(REAL), torch.tensor(DRAWN)
    below = 1 - INK + INK * grey
    assert torch.allclose(picture[:, high, low], below, atol=1e-6)  # (-1, -1) is at the lower left
    assert torch.allclose(picture[:, low, high], (1 - INK) * below + INK * red, atol=1e-6)
    assert picture[:, SIDE // 2].min() == 1  # white background: the outlier did not widen the window


CHOICES = ["data=ring", "model=points", "latent.dim=2", "trainer.max_steps=7", "callbacks.plane.every_n_batches=3"]


def test_planes_are_written_at_their_interval_and_at_both_ends(configure, run_training, tmp_path):
    watched = run_training(configure(*CHOICES, "ema.decay=0.9"))
    folder = tmp_path / "run" / "samples"
    steps = [f"step=000000{n}_{name}.png" for n in (0, 3, 6, 7) for name in ("ema", "raw")]
    assert sorted(path.name for path in folder.iterdir()) == steps
    shown = [np.asarray(Image.open(folder / f"step=000000{n}_raw.png")) for n in (0, 7)]
    assert shown[0].shape == (SIDE + CAPTION, SIDE, 3)
    assert (shown[0] != shown[1]).any()
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    assert [image.step for image in events.Images("samples/ema")] == [0, 3, 6, 7]
    alone = run_training(configure(*CHOICES, "~callbacks.plane", "ema.decay=0.9", folder="alone"))
    for a, b in zip(watched.module.parameters(), alone.module.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (["callbacks=plane"], r"needs points \(data=ring, data=grid\); for images take callbacks=default"),
        (["data=ring", "model=points", "callbacks=default"], r"data.channels=2: .* take callbacks=plane"),
    ],
)
def test_wrong_figure_callback_is_refused_before_the_first_step(configure, run_training, tmp_path, choices, message):
    with pytest.raises(UserError, match=message):
        run_training(configure(*choices, "logger=none"))
    assert not (tmp_path / "run" / "samples").exists()
