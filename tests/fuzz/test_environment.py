"""Files and clocks that change while a command runs: a vanished image, a cache that two processes build, the time."""

import os
import subprocess
import sys
import time

import pytest
import torch

from gan.data import cache
from gan.data.cache import decoded, scan
from gan.runs.folder import RunFolder
from tests.conftest import REPOSITORY
from tests.data.test_cache import root  # noqa: F401
from tests.fuzz.faults import KILLED, ended, run, start
from tests.fuzz.test_faults import TRAIN
from tests.fuzz.tiny import some


def test_image_that_vanishes_is_named_and_comes_back(root, tmp_path):  # noqa: F811
    files = scan(root)
    content = (root / "2.png").read_bytes()
    (root / "2.png").unlink()
    place = str(tmp_path / "cache")
    assert decoded(root, files, 8, 1, place).corrupt == {"2.png": os.strerror(2)}
    (root / "2.png").write_bytes(content)
    assert decoded(root, files, 8, 1, place).corrupt == {}


def test_cache_that_vanishes_during_the_training(root, tmp_path):  # noqa: F811
    """A mapped file lives on until it is closed."""
    pixels = decoded(root, scan(root), 8, 1, str(tmp_path / "cache"))
    images = pixels.tensor()
    expected = images.clone()
    pixels.path.unlink()
    assert torch.equal(images, expected)


def folder_words(folder):
    sizes = ["data.image_size=8", "data.channels=1", "data.batch_size=2", f"data.cache_dir={folder / 'cache'}"]
    return [*TRAIN, "data=folder", f"data.root={folder / 'images'}", *sizes, "callbacks.diagnosis=null"]


@pytest.mark.processes
def test_cache_is_completed_after_the_process_that_builds_it_is_killed(root, tmp_path):  # noqa: F811
    """Also by a second process that waits for the first one."""
    words = folder_words(tmp_path)
    whole = run(tmp_path, "train.py", *words, "output_dir=whole", name="whole")
    assert whole.status == 0, whole.output
    places = [number for number, event in enumerate(whole.events) if " cache/" in event]
    for at in some(places, 1):
        for path in (tmp_path / "cache").rglob("*.*"):
            path.unlink()
        first = start(tmp_path, "train.py", *words, f"output_dir=first{at}", at=at, name="first")
        second = start(tmp_path, "train.py", *words, f"output_dir=second{at}", name="second")
        first.join(300)
        second.join(300)
        assert ended(second, tmp_path, "second").status == 0, ended(second, tmp_path, "second").output
        assert ended(first, tmp_path, "first").status in (KILLED, 0)  # 0: the second one has built it
        (path,) = (tmp_path / "cache").rglob("*.images")
        assert path.stat().st_size == 4 * 64


def test_partial_files_of_a_living_process_survive_a_clock_that_jumps_back(root, tmp_path, monkeypatch):  # noqa: F811
    files = scan(root)
    decoded(root, files, 8, 1, str(tmp_path / "cache"))
    (path,) = (tmp_path / "cache").rglob("*.images")
    partial = path.with_name(f".{path.name}.x{cache.UNFINISHED}")
    partial.touch()
    path.unlink()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 10**7)
    assert decoded(root, files, 8, 1, str(tmp_path / "cache")).shape[0] == 4
    assert partial.exists()


def test_training_with_a_clock_that_jumps_back(configure, run_training, tmp_path, monkeypatch):
    """The order of points and checkpoints does not depend on the time of day."""
    words = ["trainer.max_steps=6", "callbacks.monitor.every_n_batches=1", "callbacks.sample_grids=null"]
    run_training(configure(*words, folder="whole"))
    start, calls = time.time(), [0]

    def jumping():
        calls[0] += 1
        return start - 3600 * calls[0]

    monkeypatch.setattr(time, "time", jumping)
    run_training(configure(*words, folder="run"))
    whole, found = (RunFolder(tmp_path / name).curves() for name in ("whole", "run"))
    whole.pop("speed/images_per_second"), found.pop("speed/images_per_second")
    assert found == whole


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize("home", [None, "/dev/null"])
def test_no_home_or_one_that_cannot_be_written(tmp_path, monkeypatch, home):
    """What is kept between runs goes elsewhere, or is not needed."""
    environment = {key: text for key, text in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME")}
    environment |= {"HOME": home, "XDG_CACHE_HOME": f"{home}/x"} if home else {}
    command = [sys.executable, str(REPOSITORY / "train.py"), *TRAIN, "output_dir=run"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
