"""What the tests share: a composed configuration with a tiny budget, and a run of it."""

import gzip
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from gan.build import Game, build, prepare
from gan.cli import CONF
from gan.train import quiet

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small nets gain nothing from two threads, and the workers of -n auto would fight for the cores."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def quiet_lightning() -> Iterator[None]:
    with warnings.catch_warnings():
        quiet()
        yield


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., DictConfig]:
    """Composes the real configuration with small nets: ``configure("k=2", folder="resumed")``."""

    def configured(*overrides: str, folder: str = "run") -> DictConfig:
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            return compose(
                "train",
                [
                    "model.generator.hidden=[32]",
                    "model.discriminator.hidden=[32]",
                    "latent.dim=8",
                    "trainer=cpu",
                    f"output_dir={tmp_path / folder}",
                    *overrides,
                ],
            )

    return configured


@pytest.fixture
def play() -> Callable[[DictConfig], Game]:
    """Builds, prepares and fits; returns the game."""

    def played(cfg: DictConfig) -> Game:
        game = build(cfg)
        prepare(game, cfg)
        game.trainer.fit(game.module, game.data, ckpt_path=cfg.ckpt_path, weights_only=True)
        return game

    return played


@pytest.fixture(scope="session")
def mnist_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real MNIST, where a copy of its files is at hand."""
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
