"""MNIST: the published files, or a clear error about them."""

import pytest
import torch

from gan.core.errors import UserError
from gan.data import mnist
from gan.data.mnist import MNIST

COMMON = {"batch_size": 64, "image_size": 28, "channels": 1, "classes": 10, "seed": 1}


def test_splits_are_those_of_the_paper(mnist_root):
    data = MNIST(root=mnist_root, **COMMON)
    data.prepare_data()
    data.setup()
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 50_000,
        "valid": 10_000,
        "test": 10_000,
    }
    # Facts of the published set: its first labels, its mean pixel over all 60,000 training images.
    assert data.splits["train"].labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.splits["test"].labels[:5].tolist() == [7, 2, 1, 0, 4]
    both = torch.cat([data.splits[name].images for name in ("train", "valid")])
    assert both.double().mean().item() / 255 == pytest.approx(0.1307, abs=5e-5)


def test_validation_images_are_the_last_of_the_training_file(small_root):
    data = MNIST(root=small_root, validation_size=10, **{**COMMON, "batch_size": 8})
    prepare(data)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 50, "valid": 10, "test": 10}
    content = (small_root / "MNIST" / "raw" / "train-images-idx3-ubyte").read_bytes()[16:]
    assert data.splits["valid"].images[0].flatten().tolist() == list(content[50 * 784 : 51 * 784])
    assert data.splits["valid"].labels[:3].tolist() == [0, 1, 2]


def test_validation_size_zero_trains_on_all_images(mnist_root):
    data = MNIST(root=mnist_root, validation_size=0, **COMMON)
    data.setup()
    assert len(data.splits["train"]) == 60_000
    assert len(data.splits["valid"]) == 0


def prepare(data):
    data.prepare_data()
    data.setup()


def zeros(content):
    return bytes(len(content))


HARMS = {
    "flipped": lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
    "cut short": lambda content: content[:5000],
    "cut inside its header": lambda content: content[:10],
    "empty": lambda content: b"",
    "zeros": zeros,
    "another type": lambda content: b"\0\0\x63\3" + content[4:],
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"])
def test_corrupt_file_is_reported(small_root, name, harm):
    path = small_root / "MNIST" / "raw" / name
    path.write_bytes(HARMS[harm](path.read_bytes()))
    data = MNIST(root=small_root, validation_size=10, **COMMON)
    with pytest.raises(UserError, match=rf"{name} is corrupt or cut short .* Delete it"):
        prepare(data)


def test_corrupt_file_is_reported_before_the_others_are_downloaded(small_root):
    (small_root / "MNIST" / "raw" / "t10k-images-idx3-ubyte").unlink()
    path = small_root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(zeros(path.read_bytes()))
    with pytest.raises(UserError, match=rf"{path.name} is corrupt or cut short"):
        MNIST(root=small_root, validation_size=10, **COMMON).prepare_data()


def test_download_error_names_two_alternatives(tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setattr("torchvision.datasets.MNIST.download", no_network)
    with pytest.raises(UserError, match=r"data.root=FOLDER, or train on data=digits"):
        MNIST(root=tmp_path / "nowhere", **COMMON).prepare_data()


def test_unwritable_root_is_reported(tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("torchvision.datasets.MNIST.download", refused)
    with pytest.raises(UserError, match=r"data.root=.*: Permission denied"):
        MNIST(root=tmp_path, **COMMON).prepare_data()


def test_validation_size_out_of_range_is_refused():
    with pytest.raises(ValueError, match="validation_size must be a whole number of at least 0 and below"):
        MNIST(root="data", validation_size=mnist.IN_TRAINING_FILE, **COMMON)
