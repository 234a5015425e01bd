"""The cache of decoded images: its checksum, and files that could not be read for a while."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from gan.data.cache import decoded, scan
from gan.data.decode import attempt


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return folder


def read(root, tmp_path):
    return decoded(root, scan(root), 8, 1, str(tmp_path / "cache"))


def test_changed_bit_of_the_cache_is_noticed_and_the_cache_made_again(root, tmp_path):
    before = read(root, tmp_path).tensor().clone()
    (path,) = (tmp_path / "cache").rglob("*.images")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert torch.equal(read(root, tmp_path).tensor(), before)
    assert path.read_bytes() != content


def test_intact_cache_is_not_made_again(root, tmp_path, monkeypatch):
    read(root, tmp_path)
    monkeypatch.setattr("gan.data.cache.attempt", None)
    assert read(root, tmp_path).shape == (4, 1, 8, 8)


def test_file_that_could_not_be_read_is_decoded_once_it_can(root, tmp_path, monkeypatch):
    """Its size and modification time are the same, as after chmod or an error of a network drive."""

    def refused(path, *options):
        return attempt(path if path.name != "2.png" else path / "x", *options)

    with monkeypatch.context() as patch:
        patch.setattr("gan.data.cache.attempt", refused)
        assert read(root, tmp_path).corrupt == {"2.png": os.strerror(20)}
    assert read(root, tmp_path).shape == (4, 1, 8, 8)


def test_corrupt_file_stays_left_out(root, tmp_path, monkeypatch):
    (root / "2.png").write_bytes(b"no image")
    (root / "3.png").unlink()
    (root / "3.png").symlink_to("nowhere.png")
    assert set(read(root, tmp_path).corrupt) == {"2.png", "3.png"}
    monkeypatch.setattr("gan.data.cache.attempt", None)
    assert set(read(root, tmp_path).corrupt) == {"2.png", "3.png"}
