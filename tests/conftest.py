"""Shared fixtures: small configurations, training runs and commands; and the ``fast`` and ``gpu`` markers."""

import copy
import functools
import gc
import gzip
import logging
import multiprocessing.util
import os
import runpy
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from gan.app.command_line import CONF
from gan.app.prepare import prepare
from gan.app.train import quiet
from gan.runs.build import Experiment, build

REPOSITORY = Path(__file__).parents[1]
TESTS = Path(__file__).parent
#: folders and files of tests of pure functions and small classes: ``make test-fast``
PURE = (
    *("core", "losses", "metrics", "networks", "optim"),
    *(
        "methods/test_capture.py",
        "figures/test_snapshot1d.py",
        "evaluation/test_records.py",
        "training/test_symptoms.py",
    ),
)
#: fixtures of slower tests: they compose a configuration, or read thousands of images
LONG_FIXTURES = {"configure", "mnist_root"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of pure functions as ``fast``, and skips GPU tests where there is no GPU."""
    for item in items:
        is_pure = item.path.is_relative_to(TESTS) and str(item.path.relative_to(TESTS)).startswith(PURE)
        if is_pure and not LONG_FIXTURES & set(item.fixturenames) and not {"slow", "processes"} & marks(item):
            item.add_marker("fast")
        if "gpu" in marks(item) and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="torch finds no GPU"))


def marks(item: pytest.Item) -> set[str]:
    return {mark.name for mark in item.iter_markers()}


@pytest.fixture(scope="session", autouse=True)
def threads() -> None:
    """One thread: small networks gain nothing from two, and the workers of -n auto would compete for the cores.

    TEST_THREADS sets another number.
    """
    torch.set_num_threads(int(os.environ.get("TEST_THREADS", "1")))


@pytest.fixture(scope="session", autouse=True)
def users_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded images go to a temporary folder, not to the user's cache directory."""
    before = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    with pytest.MonkeyPatch.context() as patch:
        if "MPLCONFIGDIR" not in os.environ:  # rebuilding matplotlib's font list takes seconds
            patch.setenv("MPLCONFIGDIR", str(before / "matplotlib"))
        folder = str(tmp_path_factory.mktemp("cache"))
        patch.setenv("XDG_CACHE_HOME", folder)
        patch.setattr("platformdirs.user_cache_path", lambda name: Path(folder) / name)
        yield


@pytest.fixture(autouse=True)
def no_process_unless_marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that starts a process needs the marker ``processes``, so that quick selections can leave it out."""

    def refused(*_, **__):
        pytest.fail("this test starts a process: give it @pytest.mark.processes")

    with pytest.MonkeyPatch.context() as patch:
        if "processes" not in marks(request.node):
            starters = [(subprocess.Popen, "__init__"), (os, "fork"), (os, "forkpty"), (os, "posix_spawn")]
            for owner, name in [*starters, (multiprocessing.util, "spawnv_passfds")]:
                patch.setattr(owner, name, refused, raising=False)
        yield


@pytest.fixture(autouse=True)
def quiet_lightning() -> Iterator[None]:
    with warnings.catch_warnings():
        quiet()
        yield


def composed(*words: str, name: str = "train") -> DictConfig:
    """The real configuration with these overrides."""
    return copy.deepcopy(_composed(words, name))


@functools.lru_cache(maxsize=100)
def _composed(words: tuple[str, ...], name: str) -> DictConfig:
    """Cached: a composition takes longer than most of these runs, and many tests ask for the same one."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return compose(name, list(words))


SMALL = ["model.generator.hidden=[32]", "++model.discriminator.hidden=[32]", "latent.dim=8", "trainer=cpu"]


def small(output_dir: Path, *words: str) -> DictConfig:
    """The real configuration with small networks, its run in ``output_dir``; ``words`` may hold a ``ckpt_path``."""
    from_checkpoint = [word for word in words if word.startswith("ckpt_path=")]
    cfg = composed(*SMALL, *(word for word in words if word not in from_checkpoint))
    cfg.output_dir = str(output_dir)  # set here, so that the cached composition can be reused
    for word in from_checkpoint:
        cfg.ckpt_path = word.removeprefix("ckpt_path=")
    return cfg


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., DictConfig]:
    """Composes the real configuration with small networks: ``configure("k=2", folder="resumed")``."""

    def configured(*overrides: str, folder: str = "run") -> DictConfig:
        return small(tmp_path / folder, *overrides)

    return configured


def trained_experiment(cfg: DictConfig) -> Experiment:
    """Builds, prepares and trains; returns the experiment."""
    with warnings.catch_warnings():
        quiet()
        game = build(cfg)
        prepare(game, cfg)
        game.trainer.fit(game.module, game.data, ckpt_path=cfg.ckpt_path, weights_only=True)
    return game


@pytest.fixture
def run_training() -> Callable[[DictConfig], Experiment]:
    return trained_experiment


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Iterator[Callable[..., tuple[int, str]]]:
    """Runs a script in this process as its command line would: ``command("train.py", folder, "k=2")``.

    Returns:
        the exit status and the output.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def commanded(script: str, folder: Path, *words: str) -> tuple[int, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", [script, *words])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        capsys.readouterr()
        status = 0
        try:
            runpy.run_path(str(REPOSITORY / script), run_name="__main__")
        except SystemExit as end:
            status = end.code
        finally:
            gc.unfreeze()
            for handler in root.handlers:
                if handler not in handlers:
                    handler.close()
            root.handlers[:] = handlers
            root.setLevel(level)
        return status, "".join(capsys.readouterr())

    yield commanded
    HydraConfig.instance().cfg = None


@pytest.fixture(scope="session")
def mnist_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the real MNIST files; skips the test if there are none."""
    for root in (REPOSITORY / "data", REPOSITORY.parent / "shared" / "data"):
        raw = root / "MNIST" / "raw"
        if (raw / "train-images-idx3-ubyte").is_file():
            return root
        if packed := sorted(raw.glob("*.gz")):
            target = tmp_path_factory.mktemp("mnist")
            (target / "MNIST" / "raw").mkdir(parents=True)
            for path in packed:
                with gzip.open(path) as source, (target / "MNIST" / "raw" / path.stem).open("wb") as file:
                    shutil.copyfileobj(source, file)
            return target
    pytest.skip("MNIST is not in data/ (python train.py data=mnist downloads it)")
