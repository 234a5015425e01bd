"""Fixtures of the data tests."""

import hashlib
import struct
from pathlib import Path

import pytest
import torch

from gan.data import mnist
from gan.data.mnist import CHECKSUMS


def write_files(raw: Path, seed: int = 0) -> None:
    """Writes files in MNIST's format with 60 and 10 images."""
    raw.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    for part, count in (("train", 60), ("t10k", 10)):
        images = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
        labels = (torch.arange(count) % 10).to(torch.uint8)
        header = struct.pack(">iiii", 2051, count, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + images.numpy().tobytes())
        header = struct.pack(">ii", 2049, count)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.numpy().tobytes())


@pytest.fixture
def small_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files in MNIST's format with 60 and 10 images, accepted in place of the published ones."""
    raw = tmp_path / "MNIST" / "raw"
    write_files(raw)
    sums = {name: hashlib.md5((raw / name).read_bytes()).hexdigest() for name in CHECKSUMS}
    monkeypatch.setattr(mnist, "CHECKSUMS", sums)
    monkeypatch.setattr(mnist, "IN_TRAINING_FILE", 60)
    monkeypatch.setattr(mnist, "IN_TEST_FILE", 10)
    return tmp_path
