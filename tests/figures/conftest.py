"""A short run on digits and one in one dimension, opened as sample.py opens them."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from gan.app import train
from gan.app.command_line import CONF
from gan.core.quiet import quiet
from gan.runs.run import Run, open_run

SMALL = ("trainer=cpu", "callbacks.monitor.every_n_batches=5", "trainer.max_epochs=1")
DIGITS = ("model.generator.hidden=[32]", "model.discriminator.hidden=[32]", "callbacks.sample_grids.every_n_batches=5")
NUMBERS = ("data=gaussian", "latent.dim=1", "model=affine", "callbacks=one_dimension", "data.batch_size=16")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Trains briefly with these overrides; returns the run's folder."""

    def trained_with(*overrides: str, folder: Path | None = None) -> Path:
        folder = folder or tmp_path_factory.mktemp("run")
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            cfg = compose("train", [*SMALL, f"output_dir={folder}", *overrides])
        with warnings.catch_warnings():
            quiet()
            train.run(cfg)
        return folder

    return trained_with


@pytest.fixture(scope="session")
def digits_folder(trained) -> Path:
    return trained(*DIGITS)


@pytest.fixture(scope="session")
def numbers_folder(trained) -> Path:
    return trained(*NUMBERS)


@pytest.fixture
def digits(digits_folder: Path) -> Run:
    """A run on digits with both generators, sample grids and curves."""
    return open_run(digits_folder, device="cpu")


@pytest.fixture
def numbers(numbers_folder: Path) -> Run:
    """A run in one dimension."""
    return open_run(numbers_folder, device="cpu")
