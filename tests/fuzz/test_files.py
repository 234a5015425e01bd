"""Files of every kind that is read, cut short or with changed bits: one line, or what the whole file gives.

Where a file holds checksums (checkpoints, exported generators, data sets, the cache of decoded images), a change is
noticed or has no effect. Text such as overrides.yaml has none: a changed digit is another valid value.
"""

import copy
import gzip
import hashlib
import json
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from PIL import Image

import gan
from gan.app import ranking, sample
from gan.app.command_line import checked, resumed
from gan.core.errors import UserError
from gan.data.cifar10 import CIFAR10
from gan.data.folder import Folder
from gan.data.mnist import MNIST
from gan.evaluation import records
from gan.reports.jobs import read_jobs
from gan.runs import outcome
from gan.runs.checkpoint import read
from gan.runs.exported import load_generator
from gan.runs.folder import RunFolder
from tests.conftest import SMALL
from tests.fuzz.tiny import FIGURES, is_short, refusal

FUZZ = settings(settings.get_profile("fuzz"))


@dataclass
class Damage:
    """A change of a file's bytes; a place is a share of its length."""

    kind: str
    place: float
    bit: int
    filling: bytes

    def __call__(self, content: bytes) -> bytes:
        at = min(int(self.place * len(content)), max(0, len(content) - 1))
        match self.kind:
            case "cut":
                return content[:at]
            case "flip":
                return content[:at] + bytes([content[at] ^ 1 << self.bit]) + content[at + 1 :] if content else b""
            case "overwrite":
                return content[:at] + self.filling + content[at + len(self.filling) :]
            case "insert":
                return content[:at] + self.filling + content[at:]
            case "remove":
                return content[:at] + content[at + len(self.filling) :]
        return content + self.filling


KINDS = ("cut", "flip", "flip", "overwrite", "insert", "remove", "append")
FILLING = st.sampled_from([b"\0" * 64, b"\xff" * 8, b"\n", b"NaN", b'{"a": [1', b"- ${x}\n"]) | st.binary(
    min_size=1, max_size=40
)
DAMAGE = st.builds(Damage, st.sampled_from(KINDS), st.floats(0, 1), st.integers(0, 7), FILLING)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run with curves and scores; never changed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    words = [*SMALL, "trainer.max_steps=4", "callbacks.monitor.every_n_batches=1", "logger=[tensorboard,csv]"]
    words += ["callbacks.sample_grids.count=4", "metrics=frechet", "features=pixels"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = gan.train(*words, "callbacks.scores=null", folder=folder)
    sample.export(run, "raw", folder / "generator.safetensors")
    outcome.write(folder, [1.0, float("inf")], names=["a", "b"], better=["lower", "higher"])
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def same(a, b) -> bool:
    """Whether two nested containers are equal, with tensors compared bit by bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def examine(path: Path, reads, right=None):
    """A test function that damages the file, and reads it: one line, or what the whole file gives.

    Args:
        path: the file.
        reads: reads it; raises UserError if it cannot.
        right: whether another result than that of the whole file is right; None if none is.
    """
    content = path.read_bytes()
    expected = reads()

    @FUZZ
    @given(damage=DAMAGE)
    def damaged(damage):
        changed = damage(content)
        path.unlink(missing_ok=True)
        path.write_bytes(changed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = reads()
        except UserError as error:
            refusal(error)
            FIGURES[f"damaged {path.suffix or path.name}", "one line"] += 1
        else:
            is_same = same(found, expected)
            assert is_same or (right and right(found)), "another result without a word"
            FIGURES[f"damaged {path.suffix or path.name}", "same result" if is_same else "another valid value"] += 1

    damaged()
    path.write_bytes(content)


def anything(found) -> bool:
    return True


def test_checkpoint(folder):
    path = folder / "checkpoints" / "last.ckpt"
    examine(path, lambda: copy.deepcopy(read(path)))


def test_opened_run(folder):
    def weights():
        run = gan.open_run(folder, device="cpu")
        return {"weights": run.module.state_dict(), "config": str(run.cfg)}

    examine(folder / "checkpoints" / "last.ckpt", weights)


def test_exported_generator(folder):
    path = folder / "generator.safetensors"

    def state():
        generator, latent = load_generator(path)
        return {"weights": generator.state_dict(), "latent": str(vars(latent))}

    examine(path, state)


@pytest.mark.parametrize("name", ["overrides", "hydra"])
def test_recorded_command_line(folder, name):
    path = folder / ".hydra" / f"{name}.yaml"
    if not path.exists():
        sources = [{"provider": "main", "schema": "file", "path": "/conf"}]
        record = {"hydra": {"job": {"config_name": "train"}, "runtime": {"cwd": "/", "config_sources": sources}}}
        path.write_text(json.dumps(record if name == "hydra" else {"seed": 1}), encoding="utf-8")
    line = [f"ckpt_path={folder}/checkpoints/last.ckpt", "trainer=cpu"]
    examine(path, lambda: resumed(line), anything)
    if not is_short():  # the check of each option takes a second
        examine(path, lambda: checked(line, "train").words, anything)


def test_settings(folder):
    cfg = gan.compose(*SMALL)
    path = folder / ".hydra" / "config.yaml"
    OmegaConf.save(cfg, path)
    examine(path, lambda: RunFolder(folder).settings, anything)


def test_scores(folder):
    examine(folder / "metrics.json", lambda: records.read(folder / "metrics.json"), anything)


def test_outcome(folder):
    examine(folder / "outcome.json", lambda: vars(outcome.read(folder)), anything)


def test_ranking(folder):
    def rank():
        return vars(found) if (found := ranking.rank(folder.parent)) else None

    examine(folder / "outcome.json", rank, anything)


def test_curves(folder):
    (folder / "metrics.csv").unlink()
    (path,) = folder.glob("events.out.tfevents.*")
    examine(path, lambda: RunFolder(folder).curves(), subset_of(RunFolder(folder).curves()))


def subset_of(curves):
    """Accepts the points before a damaged place."""
    return lambda found: all(set(points) <= set(curves.get(name, [])) for name, points in found.items())


def test_table_of_curves(folder):
    for path in folder.glob("events.out.tfevents.*"):
        path.unlink()
    examine(folder / "metrics.csv", lambda: RunFolder(folder).curves(), anything)


@pytest.mark.parametrize("name", ["metrics.json", "metrics.csv", "outcome.json", "train.log", ".hydra/overrides.yaml"])
def test_report(folder, name):
    """A report has a line for a part that cannot be read, and shows the rest."""
    (folder / "train.log").write_text("2026-01-01 00:00:00,000 INFO done: 4 batches\n", encoding="utf-8")
    examine(folder / name, lambda: [vars(job) for job in read_jobs(folder)], anything)


# Data


def images_of(source):
    source.prepare_data()
    source.setup()
    return {name: (split.images.clone(), split.labels.clone()) for name, split in source.splits.items()}


MNIST_SIZES = {"batch_size": 8, "image_size": 28, "channels": 1, "classes": 10, "seed": 1, "validation_size": 10}


@pytest.fixture
def no_network(monkeypatch):
    def refused(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", refused)
    monkeypatch.setattr("torchvision.datasets.utils._get_redirect_url", lambda url, max_hops: url)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_mnist(small_root, no_network, name, packed, monkeypatch):
    """Also as the published .gz, which torchvision unpacks."""
    path = small_root / "MNIST" / "raw" / name
    source = path.with_name(f"{name}.gz")
    if packed:
        source.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        published = [(source.name, hashlib.md5(source.read_bytes()).hexdigest())]
        monkeypatch.setattr("torchvision.datasets.MNIST.resources", published)

    def load():
        if packed:
            path.unlink(missing_ok=True)
        return images_of(MNIST(root=small_root, **MNIST_SIZES))

    examine(source if packed else path, load)


@pytest.mark.parametrize("name", ["data_batch_1", "test_batch", "batches.meta"])
def test_cifar10(cifar_root, no_network, name):
    sizes = {"batch_size": 8, "image_size": 32, "channels": 3, "classes": 10, "seed": 1, "validation_size": 10}
    examine(cifar_root / "cifar-10-batches-py" / name, lambda: images_of(CIFAR10(root=cifar_root, **sizes)))


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(10):
        noise = np.random.default_rng(number).integers(0, 256, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.{'png' if number else 'jpg'}")
    return folder


def folder_images(root, cache):
    sizes = {"batch_size": 2, "image_size": 8, "channels": 3, "classes": 0, "seed": 1}
    return images_of(Folder(root=str(root), cache_dir=str(cache), **sizes))


@pytest.mark.parametrize("name", ["1.png", "0.jpg"])
def test_image(pictures, tmp_path, name):
    """A changed pixel cannot be noticed in every format, but each image has its size."""
    cache = tmp_path / "cache"

    def load():
        shutil.rmtree(cache, ignore_errors=True)
        return folder_images(pictures, cache)

    examine(pictures / name, load, lambda found: sum(len(images) for images, _ in found.values()) == 10)


@pytest.mark.parametrize("suffix", [".images", ".json"])
def test_cache_of_decoded_images(pictures, tmp_path, suffix):
    """A damaged cache is made again."""
    cache = tmp_path / "cache"
    folder_images(pictures, cache)
    (path,) = cache.rglob(f"*{suffix}")
    examine(path, lambda: folder_images(pictures, cache))
