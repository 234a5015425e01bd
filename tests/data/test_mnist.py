"""MNIST: the published files, or a clear error about them."""

import shutil

import pytest
import torch

from gan.core.errors import UserError
from gan.data import mnist
from gan.data.mnist import MNIST
from gan.runs.instantiate import part
from tests.conftest import composed
from tests.data.conftest import write_files

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


@pytest.mark.parametrize(("length", "byte"), [(5000, 100), (10, 100), (0, 0), (None, 3), (None, 9)])
@pytest.mark.parametrize("name", mnist.FILES)
def test_corrupt_file_is_reported(small_root, name, length, byte):
    """Cut short, or of the right size with a header of something else."""
    path = small_root / "MNIST" / "raw" / name
    content = bytearray(path.read_bytes())
    content[min(byte, 7 if "labels" in name else byte)] ^= 1
    path.write_bytes(content[: len(content) - 1 if length == 5000 else length])
    data = MNIST(root=small_root, validation_size=10, **COMMON)
    with pytest.raises(UserError, match=rf"{name} is corrupt or cut short .* Delete it"):
        prepare(data)


def test_other_images_under_the_same_names_are_no_reason_to_delete_them(small_root):
    """Fashion-MNIST's files have MNIST's names, sizes and headers; so has a file with one flipped bit."""
    shutil.rmtree(small_root / "MNIST")
    write_files(small_root / "MNIST" / "raw", seed=7)
    data = MNIST(root=small_root, validation_size=10, **COMMON)
    with pytest.raises(UserError, match=r"not the file of the published MNIST .* other images .* data=fashion_mnist"):
        prepare(data)


@pytest.mark.parametrize(("choice", "published"), [("fashion_mnist", "FashionMNIST"), ("kmnist", "KMNIST")])
def test_drop_in_sets_are_read_from_their_own_folder(small_root, choice, published):
    raw = small_root / published / "raw"
    write_files(raw, seed=3)
    cfg = composed(f"data={choice}", f"data.root={small_root}", "data.validation_size=10", "data.batch_size=8")
    data = part(cfg, "data")
    prepare(data)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 50, "valid": 10, "test": 10}
    for file, split, rows in (("train", "train", 50), ("t10k", "test", 10)):
        content = (raw / f"{file}-images-idx3-ubyte").read_bytes()[16:]
        assert data.splits[split].images[rows - 1].flatten().tolist() == list(content[(rows - 1) * 784 : rows * 784])
        assert data.splits[split].labels.tolist() == [i % 10 for i in range(rows)]
    assert data.describe().startswith(f"{published}: 50 images 1×28×28")


@pytest.mark.parametrize("name", ["FashionMNIST", "KMNIST"])
def test_damaged_drop_in_set_is_reported(small_root, name):
    raw = small_root / name / "raw"
    write_files(raw)
    data = getattr(mnist, name)(root=small_root, validation_size=10, **COMMON)
    labels = (raw / "t10k-labels-idx1-ubyte").read_bytes()
    (raw / "t10k-labels-idx1-ubyte").write_bytes(labels[:-1] + bytes([130]))
    with pytest.raises(UserError, match="holds the label 130, expected 0 to 9"):
        prepare(data)
    (raw / "t10k-labels-idx1-ubyte").write_bytes(labels[:-1])
    with pytest.raises(UserError, match=rf"{name}/raw/t10k-labels-idx1-ubyte is corrupt or cut short \(17 bytes"):
        prepare(data)


@pytest.mark.parametrize("name", ["FashionMNIST", "KMNIST"])
def test_missing_drop_in_set_is_downloaded_by_torchvision(tmp_path, monkeypatch, name):
    asked = []
    monkeypatch.setattr(f"torchvision.datasets.{name}.download", lambda data: asked.append(data.raw_folder))
    with pytest.raises(UserError, match=rf"^{name} is not in data.root={tmp_path} .* folder that holds {name}/raw"):
        getattr(mnist, name)(root=tmp_path, **COMMON).prepare_data()
    assert asked == [str(tmp_path / name / "raw")]


def test_corrupt_file_is_reported_before_the_others_are_downloaded(small_root):
    (small_root / "MNIST" / "raw" / "t10k-images-idx3-ubyte").unlink()
    path = small_root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(bytes(len(path.read_bytes())))
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
