"""Rows begin at G(z0), end at G(z1) and follow the requested path."""

from functools import partial

import pytest
import torch

from gan.figures import Interpolation
from gan.networks.latents import lerp, slerp
from tests.figures.reading import read_picture, tile


@pytest.mark.parametrize("path", [lerp, slerp])
def test_first_middle_and_last_column_follow_the_path(digits, tmp_path, path):
    (file,) = Interpolation("raw", rows=2, steps=5, path=partial(path), seed=3)(digits, tmp_path)
    assert file.name == f"interpolation_{path.__name__}_raw.png"
    picture, z = read_picture(file), digits.sampler.latents(4, 3)[0]
    start, end, middle = z[:2], z[2:], path(z[:2], z[2:], torch.tensor([0.5]))[:, 0]
    for column, points in ((0, start), (4, end), (2, middle)):
        images = digits.sampler.sample("raw", points)
        for row in range(2):
            assert torch.allclose(tile(picture, row, column)[0], images[row, 0], atol=1 / 255)


def test_fewer_than_two_steps_are_refused():
    with pytest.raises(ValueError, match="steps must be a whole number of at least 2, got 1"):
        Interpolation(steps=1)
