"""Trainings of one or two steps on some dozens of images, for the fuzzer."""

import hashlib
import os
import re
from collections import Counter
from pathlib import Path

import torch
from omegaconf import OmegaConf
from PIL import Image

from gan.app import train
from gan.core.errors import UserError
from gan.data.base import Split
from gan.data.cifar10 import CIFAR10
from gan.data.digits import Digits
from gan.data.mnist import MNIST
from gan.runs.build import Experiment, build
from tests import conftest
from tests.test_conf import narrow

#: examples of each test; "all" for every one that there is
SIZE = 10**6 if os.environ.get("FUZZ") == "all" else int(os.environ.get("FUZZ", "0"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
#: (kind, end) of each example
FIGURES: Counter[tuple[str, str]] = Counter()
IMAGES = {"train": 40, "valid": 24, "test": 24}


class Hung(BaseException):
    """An example that does not end; no Exception, so that nothing takes it for an error of its own."""


def is_short() -> bool:
    """Whether this is the small, fixed part for the suite."""
    return SIZE == 0


def some(examples: list, few: int) -> list:
    """A seeded sample: ``few`` of the examples in the suite, FUZZ of them by hand.

    The order is one of hashes, so that the sample stays the same but for what a further file in ``conf/`` adds to it.
    """
    ordered = sorted(examples, key=lambda example: hashlib.sha256(f"{SEED} {example}".encode()).digest())
    return ordered[: few if is_short() else SIZE]


def make_tiny_data(folder: Path, monkeypatch) -> Path:
    """Replaces the files of each data set by a few random images; returns a folder of images."""

    def tiny(channels: int, size: int):
        generator = torch.Generator().manual_seed(0)
        return lambda self: {
            name: Split(
                torch.randint(256, (count, channels, size, size), dtype=torch.uint8, generator=generator),
                torch.arange(count) % 10,
            )
            for name, count in IMAGES.items()
        }

    for source, channels, size in ((Digits, 1, 8), (MNIST, 1, 28), (CIFAR10, 3, 32)):
        monkeypatch.setattr(source, "load", tiny(channels, size))
        monkeypatch.setattr(source, "prepare_data", lambda self: None)
    images = folder / "images"
    images.mkdir()
    for number in range(40):
        Image.effect_noise((12, 12), 50 + number).convert("RGB").save(images / f"{number}.png")
    return images


def tiny_config(folder: Path, *words: str):
    """The configuration with narrow networks, batches of 4 and one step of G."""
    cfg = conftest.composed("hydra/help=default", *words)  # writing the help text takes longer than all the rest
    cfg.output_dir = str(folder)
    narrow(cfg.model)
    return cfg


def train_tiny(cfg, monkeypatch) -> Experiment:
    """Trains as ``train.py`` does, with metrics and figures; raises UserError for a configuration that is refused."""
    built = []

    def small_build(*arguments):
        built.append(build(*arguments))
        built[-1].data.samples_to_score = 40
        return built[-1]

    monkeypatch.setattr(train, "build", small_build)
    train.run(cfg)
    return built[-1]


def refusal(error: UserError) -> str:
    """The message of an error, which is one line of readable length."""
    message = str(error)
    assert "\n" not in message.strip(), message
    assert 10 < len(message) < 700, message
    assert "Traceback" not in message
    return message


def check_finite(experiment: Experiment) -> None:
    assert all(p.isfinite().all() for p in experiment.module.parameters())


def override(cfg, key: str, value) -> None:
    """Sets a key if the configuration has it."""
    where, _, name = key.rpartition(".")
    parent = OmegaConf.select(cfg, where)
    if OmegaConf.is_dict(parent) and name in parent:
        parent[name] = value


def matching(message: str, patterns: dict[str, str]) -> str | None:
    """The first pattern that matches the whole message."""
    return next((pattern for pattern in patterns if re.fullmatch(pattern, message)), None)
