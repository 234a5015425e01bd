"""The contestants and their command lines."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.game import PRECISIONS
from benchmarks.timing import REPOSITORY

#: overrides for train.py
MODELS = {
    "mlp": ["model=mlp"],
    "maxout": ["model=maxout"],
    "convolutional": [
        "model=mlp",
        "model.generator._target_=benchmarks.convolutional.Generator",
        "model.generator.hidden=[128,64]",
        "model.discriminator._target_=benchmarks.convolutional.Discriminator",
        "model.discriminator.hidden=[64,128]",
        "model.discriminator.dropout=0.3",
    ],
}
#: presets with losses of their own; only the loops ``TUTORIALS`` and ``train.py`` know them
PRESETS = {
    "wgan_gp": ["experiment=wgan_gp"],
    "rpgan_r1_r2": ["experiment=rpgan_r1_r2"],
    "dcgan_textbook": ["experiment=dcgan_textbook"],
}
MODELS |= PRESETS
DATA = {
    "mnist": ["data=mnist", "data.root={root}"],
    "digits": ["data=digits"],
    "synthetic": ["data=mnist", "data._target_=benchmarks.synthetic.Synthetic", "~data.root", "~data.validation_size"],
}
ACCELERATORS = {"cpu": "cpu", "cuda": "gpu"}


@dataclass(frozen=True)
class Setting:
    """The setting of a contest.

    Args:
        model, data: keys of ``MODELS`` and ``DATA``.
        batch: images in a batch.
        device: ``cpu`` or ``cuda``.
        contestants: keys of ``COMMANDS``.
        precisions: keys of ``PRECISIONS``; each contestant trains in each.
        turns: rounds that count.
        warm_up: rounds before them, which do not count.
        minibatches: batches in a turn.
        threads: threads of each process.
        data_root: the folder of MNIST.
        square: size of the matrices for measuring the arithmetic.
    """

    model: str
    data: str
    batch: int
    device: str
    contestants: tuple[str, ...]
    precisions: tuple[str, ...]
    turns: int
    warm_up: int
    minibatches: int
    threads: int
    data_root: str
    square: int

    @property
    def total(self) -> int:
        """Batches of each contestant: the first one, and those of its turns."""
        return 1 + (self.warm_up + self.turns) * self.minibatches

    @property
    def words(self) -> list[str]:
        """The overrides of ``train.py`` that configure the game."""
        words = [*MODELS[self.model], *(word.format(root=Path(self.data_root).resolve()) for word in DATA[self.data])]
        return [*words, f"data.batch_size={self.batch}"]

    def entries(self) -> list["Entry"]:
        """The entries. The textbook in float32 is always one of them: ratios are relative to it."""
        known = [c for c in self.contestants if self.model not in PRESETS or c in TUTORIALS or COMMANDS[c] is train_py]
        pairs = [REFERENCE, *(Entry(c, p) for p in self.precisions for c in known)]
        return list(dict.fromkeys(pairs))


@dataclass(frozen=True)
class Entry:
    """A contestant with its precision."""

    contestant: str
    precision: str

    def __str__(self) -> str:
        return f"{self.contestant}, {self.precision}"


REFERENCE = Entry("textbook", "float32")


def module(name: str, *words: str) -> Callable[[Setting, Entry, Path], list[str]]:
    """The command of a contestant that is a module of this package."""
    return lambda setting, entry, folder: [
        *(sys.executable, "-m", f"benchmarks.{name}"),
        *(str(folder / f"{entry.precision}.json"), *words),
    ]


def train_py(setting: Setting, entry: Entry, folder: Path) -> list[str]:
    """The user's command with a callback that takes turns."""
    # A contestant mostly waits: with a longer interval it saves as often as a run outside of a contest.
    minutes = len(setting.entries())
    return [
        *(sys.executable, str(REPOSITORY / "train.py"), *setting.words),
        f"trainer.accelerator={ACCELERATORS[setting.device]}",
        f"trainer.precision={PRECISIONS[entry.precision].trainer}",
        *("trainer.max_epochs=-1", f"trainer.max_steps={setting.total}"),
        f"callbacks.checkpoint.every_n_minutes={minutes}",
        "+callbacks.turns._target_=benchmarks.callback.TakeTurns",
        f"output_dir={folder / 'runs' / entry.contestant / entry.precision}",
    ]


def captured(setting: Setting, entry: Entry, folder: Path) -> list[str]:
    """The same with each update captured as a CUDA graph."""
    return [*train_py(setting, entry, folder), "trainer.capture=true"]


COMMANDS = {
    "textbook": module("textbook"),
    "textbook_detached": module("textbook", "detached"),
    "lightning_example": module("lightning_example"),
    "bare": module("bare"),
    "ours": train_py,
    "captured": captured,
}
TUTORIALS = ("textbook", "textbook_detached")
USUAL = ("textbook", "lightning_example", "bare", "ours")  # contestants for every device
