"""CIFAR-10: the published files in the right orientation, or a clear error about them."""

import hashlib
import pickle
import tarfile
import urllib.error

import numpy as np
import pytest
import torch
from torchvision import datasets

from gan.core.errors import UserError
from gan.data import cifar10
from gan.data.cifar10 import CIFAR10

COMMON = {"batch_size": 8, "image_size": 32, "channels": 3, "classes": 10, "seed": 1}
IN_EACH = 12


def pixels(name):
    """The (12, 3, 32, 32) pixels of a file, generated from its name."""
    generator = np.random.default_rng(list(name.encode()))
    return generator.integers(0, 256, (IN_EACH, 3, 32, 32), dtype=np.uint8)


@pytest.fixture
def small_root(tmp_path, monkeypatch):
    """Files in CIFAR-10's format with 5 × 12 and 12 images, accepted as the published ones, and their archive."""
    root = tmp_path / "root"
    folder = root / cifar10.FOLDER
    folder.mkdir(parents=True)
    for name, _ in datasets.CIFAR10.train_list + datasets.CIFAR10.test_list:
        labels = [i % 10 for i in range(IN_EACH)]
        content = {"data": pixels(name).reshape(IN_EACH, -1), "labels": labels}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [str(i) for i in range(10)]}))
    with tarfile.open(root / cifar10.ARCHIVE, "w:gz") as archive:
        archive.add(folder, cifar10.FOLDER)

    def md5(path):
        return hashlib.md5(path.read_bytes()).hexdigest()

    for attribute in ("train_list", "test_list"):
        listed = [[name, md5(folder / name)] for name, _ in getattr(datasets.CIFAR10, attribute)]
        monkeypatch.setattr(datasets.CIFAR10, attribute, listed)
    monkeypatch.setattr(datasets.CIFAR10, "meta", datasets.CIFAR10.meta | {"md5": md5(folder / "batches.meta")})
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(root / cifar10.ARCHIVE))
    monkeypatch.setattr(cifar10, "IN_TRAINING_FILES", 5 * IN_EACH)
    return root


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refused(*args, **kwargs):
        raise urllib.error.URLError("Network is unreachable")

    monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", refused)
    monkeypatch.setattr("torchvision.datasets.utils._get_redirect_url", lambda url, max_hops: url)


def prepared(root, **changes):
    data = CIFAR10(root=root, **{"validation_size": 10} | COMMON | changes)
    data.prepare_data()
    data.setup()
    return data


def test_splits_and_orientation_of_the_images(small_root):
    splits = prepared(small_root).splits
    assert {name: len(split) for name, split in splits.items()} == {"train": 50, "valid": 10, "test": 12}
    train = torch.from_numpy(np.concatenate([pixels(f"data_batch_{i}") for i in range(1, 6)]))
    assert torch.equal(splits["train"].images, train[:50])
    assert torch.equal(splits["valid"].images, train[50:])
    assert torch.equal(splits["test"].images, torch.from_numpy(pixels("test_batch")))
    labels = torch.arange(60) % 12 % 10
    assert torch.equal(splits["train"].labels, labels[:50])
    assert torch.equal(splits["valid"].labels, labels[50:])
    assert splits["train"].labels.dtype == torch.int64


def test_splits_share_one_copy_of_the_images(small_root):
    splits = prepared(small_root).splits
    assert splits["train"].images.is_contiguous()
    storages = [splits[name].images.untyped_storage().data_ptr() for name in ("train", "valid")]
    assert storages[0] == storages[1]


def test_validation_size_zero_trains_on_all_images(small_root):
    splits = prepared(small_root, validation_size=0).splits
    assert [len(splits[name]) for name in ("train", "valid")] == [60, 0]


@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter:DeprecationWarning")  # torchvision's
def test_archive_is_unpacked_when_files_are_missing(small_root):
    for path in (small_root / cifar10.FOLDER).iterdir():
        path.unlink()
    (small_root / cifar10.FOLDER).rmdir()
    assert len(prepared(small_root).splits["train"]) == 50


@pytest.mark.parametrize("harm", ["flipped", "cut short"])
def test_corrupt_file_is_reported_and_never_unpickled(small_root, harm, monkeypatch):
    (small_root / cifar10.ARCHIVE).unlink()
    path = small_root / cifar10.FOLDER / "data_batch_3"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content if harm == "flipped" else content[:5000])
    monkeypatch.setattr(pickle, "load", lambda *args, **kwargs: pytest.fail("unpickled"))
    with pytest.raises(UserError, match=r"data_batch_3 is corrupt or cut short .* Delete .*batches-py to have"):
        prepared(small_root)


@pytest.mark.parametrize("name", ["data_batch_3", "batches.meta"])
def test_missing_file_is_reported(small_root, name):
    (small_root / cifar10.ARCHIVE).unlink()
    (small_root / cifar10.FOLDER / name).unlink()
    with pytest.raises(UserError, match=rf"{name} is missing. Delete .*batches-py to have"):
        prepared(small_root)


def test_file_changed_after_prepare_data_is_reported(small_root):
    data = CIFAR10(root=small_root, validation_size=10, **COMMON)
    data.prepare_data()
    (small_root / cifar10.FOLDER / "test_batch").write_bytes(b"other")
    with pytest.raises(UserError, match="test_batch is corrupt"):
        data.setup()


def test_corrupt_archive_is_reported(tmp_path):
    (tmp_path / cifar10.ARCHIVE).write_bytes(b"cut")
    with pytest.raises(UserError, match=r"cifar-10-python.tar.gz is corrupt or cut short .* Delete .*tar.gz to have"):
        prepared(tmp_path)


def test_download_error_names_two_alternatives(tmp_path):
    with pytest.raises(UserError, match=r"could not be downloaded .* data.root=FOLDER, or train on data=digits"):
        prepared(tmp_path / "nowhere")


def test_unusable_root_is_reported(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is a file; give the folder that holds cifar-10-batches-py"):
        prepared(tmp_path / "file")

    def refused(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(datasets.CIFAR10, "download", refused)
    with pytest.raises(UserError, match=r"data.root=.*: Permission denied; choose a folder you can write to"):
        prepared(tmp_path)


def test_validation_size_out_of_range_is_refused():
    with pytest.raises(ValueError, match="validation_size must be a whole number of at least 0 and below"):
        CIFAR10(root="data", validation_size=cifar10.IN_TRAINING_FILES, **COMMON)
