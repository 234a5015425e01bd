"""Every kind of image file decodes to uint8 pixels (C, H, W)."""

import os

import numpy as np
import pytest
from PIL import Image

from gan.core.errors import UserError
from gan.data.decode import attempt, decode

GRADIENT = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)
COLORS = np.stack([GRADIENT, GRADIENT.T, 255 - GRADIENT], axis=2)  # (8, 8, 3)


def saved(tmp_path, image, name="image.png", **options):
    path = tmp_path / name
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def luma(colors):
    """Luma of ITU-R 601, as in the Pillow documentation."""
    return colors.astype(float) @ [0.299, 0.587, 0.114]


@pytest.mark.parametrize("suffix", ["png", "PNG", "bmp", "ppm", "webp"])
def test_color_images_keep_color_or_become_luma(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path, COLORS, f"image.{suffix}", **options)
    assert np.array_equal(decode(path, 8, 3), COLORS.transpose(2, 0, 1))
    assert np.abs(decode(path, 8, 1)[0] - luma(COLORS)).max() <= 1


@pytest.mark.parametrize("suffix", ["jpg", "JPEG"])
def test_jpeg_is_decoded_closely(tmp_path, suffix):
    path = saved(tmp_path, COLORS, f"image.{suffix}", quality=100, subsampling=0)
    assert np.abs(decode(path, 8, 3).astype(int) - COLORS.transpose(2, 0, 1)).max() <= 4


@pytest.mark.parametrize("suffix", ["png", "pgm"])
def test_gray_becomes_three_equal_channels(tmp_path, suffix):
    pixels = decode(saved(tmp_path, GRADIENT, f"image.{suffix}"), 8, 3)
    assert pixels.shape == (3, 8, 8)
    assert pixels.dtype == np.uint8
    assert all(np.array_equal(channel, GRADIENT) for channel in pixels)


def test_one_bit_images_become_black_and_white(tmp_path):
    for suffix in ("png", "pbm"):
        path = saved(tmp_path, Image.fromarray(GRADIENT > 100), f"image.{suffix}")
        assert np.array_equal(decode(path, 8, 1)[0], np.where(GRADIENT > 100, 255, 0))


@pytest.mark.parametrize("suffix", ["png", "pgm"])
def test_sixteen_bit_gray_keeps_its_range(tmp_path, suffix):
    deep = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    path = saved(tmp_path, Image.fromarray(deep), f"image.{suffix}")
    assert np.array_equal(decode(path, 8, 1)[0], np.round(deep / 257))


@pytest.mark.parametrize("white", [4095, 3531, 65535, 1])
def test_sixteen_bit_gray_is_stretched_to_white(tmp_path, white):
    deep = np.random.default_rng(0).integers(0, 4096, (8, 8)).astype(np.uint16)
    seen = []
    pixels = decode(saved(tmp_path, Image.fromarray(deep)), 8, 1, white, seen.append)[0]
    assert np.array_equal(pixels, np.floor(np.minimum(deep / white, 1) * 255 + 0.5))
    assert seen == [deep.max()]


def test_only_sixteen_bit_images_are_noted(tmp_path):
    seen = []
    decode(saved(tmp_path, GRADIENT), 8, 1, 4095, seen.append)
    assert seen == []


def test_palette_images_become_rgb(tmp_path):
    image = Image.fromarray(COLORS).quantize(64)
    expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(decode(saved(tmp_path, image), 8, 3), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_become_white(tmp_path, mode):
    alpha = np.full((8, 8), 255, dtype=np.uint8)
    alpha[:, 4:] = 0
    image = Image.fromarray(np.dstack([np.full((8, 8, 3), 30, dtype=np.uint8), alpha]))
    if mode == "P":
        image = Image.fromarray((alpha == 0).astype(np.uint8), "L").convert("P")
        image.putpalette([30, 30, 30, 9, 9, 9])
        path = saved(tmp_path, image, transparency=1)
    else:
        path = saved(tmp_path, image.convert(mode))
    assert decode(path, 8, 1)[0].tolist() == [[30] * 4 + [255] * 4] * 8
    half = np.dstack([np.zeros((8, 8, 3), dtype=np.uint8), np.full((8, 8), 51, dtype=np.uint8)])
    assert decode(saved(tmp_path, half), 8, 3) == pytest.approx(204, abs=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    turned = {1: 0, 3: 2, 6: 3, 8: 1}  # counterclockwise quarter turns
    mirrored = {2: 0, 4: 2, 5: 1, 7: 3}  # the same for the mirrored image
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(saved(tmp_path, GRADIENT, exif=exif), 8, 1)[0]
    if orientation in turned:
        assert np.array_equal(pixels, np.rot90(GRADIENT, turned[orientation]))
    else:
        assert np.array_equal(pixels, np.rot90(GRADIENT[:, ::-1], mirrored[orientation]))


@pytest.mark.parametrize(("shape", "middle"), [((8, 14), np.s_[:, 3:11]), ((13, 8), np.s_[2:10, :])])
def test_center_crop_is_exact(tmp_path, shape, middle):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(decode(saved(tmp_path, image), 8, 1)[0], image[middle])


def test_resizing_is_antialiased(tmp_path):
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (64, 32))  # (64, 64): uniform gray at an eighth of the size
    assert decode(saved(tmp_path, stripes), 8, 1) == pytest.approx(127.5, abs=6)
    assert decode(saved(tmp_path, np.full((5, 9), 77, dtype=np.uint8)), 16, 3).tolist() == [[[77] * 16] * 16] * 3


def test_first_frame_of_an_animation_is_used(tmp_path):
    first, second = (Image.fromarray(np.full((8, 8, 3), value, dtype=np.uint8)) for value in (10, 200))
    path = saved(tmp_path, first, "image.webp", save_all=True, append_images=[second], lossless=True)
    assert decode(path, 8, 1).max() <= 11


def test_unreadable_files_give_short_reasons(tmp_path):
    good = saved(tmp_path, np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), "a.jpg")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(good.read_bytes()[:900])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("text", encoding="utf-8")
    saved(tmp_path, GRADIENT, "animation.gif").rename(tmp_path / "gif.png")
    saved(tmp_path, Image.fromarray(GRADIENT.astype(np.float32)), "float.pfm").rename(tmp_path / "float.pgm")
    faults = {name: attempt(tmp_path / name, 8, 3) for name in ("cut.jpg", "empty.png", "text.png", "gif.png")}
    assert "truncated" in faults["cut.jpg"]
    assert faults["empty.png"] == "it is empty"
    assert faults["text.png"] == faults["gif.png"] == "none of PNG, JPEG, PPM, BMP, WEBP"
    assert attempt(tmp_path / "float.pgm", 8, 3) == "its pixels are floating-point numbers"
    assert attempt(tmp_path / "missing.png", 8, 3) == "No such file or directory"
    assert np.array_equal(attempt(good, 8, 3), decode(good, 8, 3))


def test_memory_error_is_not_blamed_on_the_file(tmp_path, monkeypatch):
    def short(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(Image, "open", short)
    with pytest.raises(MemoryError):
        attempt(tmp_path / "x.png", 8, 3)


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_regular_file_is_not_opened(tmp_path, kind):
    path = tmp_path / "p.png"
    os.mkfifo(path) if kind == "pipe" else path.mkdir()
    assert attempt(path, 8, 1) == "it is no regular file"
    assert "No such file" in attempt(tmp_path / "missing.png", 8, 1)


def test_file_without_permission_is_not_corrupt(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("PIL.Image.open", refused)  # root may read every file
    with pytest.raises(UserError, match=r"p.png: Permission denied; make it readable"):
        attempt(tmp_path / "p.png", 8, 1)
