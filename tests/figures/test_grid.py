"""The grid shows samples of the requested generator, seed and count."""

import pytest
import torch

from gan.core.errors import UserError
from gan.figures import Grid
from gan.figures.drawing import CAPTION
from tests.figures.reading import read_picture, tile


@pytest.mark.parametrize("name", ["raw", "ema"])
def test_samples_are_in_order(digits, tmp_path, name):
    (path,) = Grid(name, count=5, columns=3, seed=7)(digits, tmp_path / "new")
    assert path == tmp_path / "new" / f"grid_{name}.png"
    images, picture = digits.sampler.sample(name, digits.sampler.numbered_latents(5, 7)[0]), read_picture(path)
    assert picture.shape == (3, 2 * 50 + 2 + CAPTION, 3 * 50 + 2)
    assert 0 < (picture[:, -CAPTION:] < 0.5).float().mean() < 0.5  # a line of text
    for number in range(5):
        assert torch.allclose(tile(picture, *divmod(number, 3)), images[number].expand(3, 8, 8), atol=0.6 / 255)
    assert tile(picture, 1, 2).unique().numel() == 1  # the sixth place is empty


def test_default_generator_is_the_ema_if_there_is_one(digits, tmp_path):
    assert Grid()(digits, tmp_path)[0].name == "grid_ema.png"
    digits.module.generator_ema = None
    assert Grid()(digits, tmp_path)[0].name == "grid_raw.png"
    with pytest.raises(UserError, match=r"generator=ema: .* has raw"):
        Grid("ema")(digits, tmp_path)


def test_default_columns_make_the_grid_about_square():
    assert [Grid(count=n).columns for n in (1, 9, 10, 64)] == [1, 3, 4, 8]
    with pytest.raises(ValueError, match="count must be a whole number of at least 1, got 0"):
        Grid(count=0)
