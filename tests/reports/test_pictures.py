"""Sample grids in the page."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from gan.core.errors import UserError
from gan.reports import pictures
from gan.reports.pictures import LARGEST, embed


def decoded(picture):
    head, data = picture.uri.split(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_gray_grid_keeps_its_pixels(tmp_path):
    gray = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    Image.fromarray(np.stack([gray] * 3, -1)).save(tmp_path / "grid.png")
    picture = embed(tmp_path / "grid.png")
    image = decoded(picture)
    assert (image.mode, picture.width, picture.height) == ("L", 60, 40)
    np.testing.assert_array_equal(np.asarray(image), gray)


def test_color_grid_keeps_its_colors_nearly(tmp_path):
    colors = np.zeros((40, 60, 3), dtype=np.uint8)
    colors[:, :30, 0] = 200
    colors[:, 30:] = np.random.default_rng(0).integers(0, 256, (40, 30, 3))
    colors[0, 0] = (0, 255, 0)  # a color of one pixel
    Image.fromarray(colors).save(tmp_path / "grid.png")
    image = np.asarray(decoded(embed(tmp_path / "grid.png")).convert("RGB")).astype(int)
    assert np.abs(image - colors).max() < 64
    assert np.abs(image - colors).mean() < 10


def test_large_grid_is_reduced(tmp_path):
    Image.new("RGB", (3 * LARGEST, LARGEST), (9, 9, 9)).save(tmp_path / "grid.png")
    picture = embed(tmp_path / "grid.png")
    assert (picture.width, picture.height) == decoded(picture).size == (LARGEST, LARGEST // 3)


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\nrest"])
def test_damaged_grid_is_one_line(tmp_path, content):
    (tmp_path / "grid.png").write_bytes(content)
    with pytest.raises(UserError, match=r"grid.png cannot be read"):
        embed(tmp_path / "grid.png")


def test_a_huge_file_is_not_decoded(tmp_path, monkeypatch):
    Image.new("L", (100, 100)).save(tmp_path / "grid.png")
    monkeypatch.setattr(pictures, "MOST_PIXELS", 9_999)
    with pytest.raises(UserError, match="100 × 100 pixels are too many"):
        embed(tmp_path / "grid.png")
