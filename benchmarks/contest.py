"""One contest: who plays, with which command lines, and what comes of it."""

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir

from benchmarks.game import PRECISIONS, Game
from benchmarks.limits import Limits, layers, limits
from benchmarks.turns import Contestant, Turn, play
from gan.build import part
from gan.cli import CONF

REPOSITORY = Path(__file__).parents[1]

#: words for train.py
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
DATA = {
    "mnist": ["data=mnist", "data.root={root}"],
    "digits": ["data=digits"],
    "synthetic": ["data=mnist", "data._target_=benchmarks.synthetic.Synthetic", "~data.root", "~data.validation_size"],
}
ACCELERATORS = {"cpu": "cpu", "cuda": "gpu"}


@dataclass(frozen=True)
class Setting:
    """What a contest is about.

    Args:
        model, data: of ``MODELS`` and ``DATA``.
        batch: images in a minibatch.
        device: ``cpu`` or ``cuda``.
        contestants: of ``COMMANDS``.
        precisions: of ``PRECISIONS``; each contestant plays with each.
        turns: rounds that count.
        warm_up: rounds before them that do not.
        minibatches: of a turn.
        threads: of each process.
        data_root: where MNIST lies.
        square: size of the matrices with which the arithmetic is measured.
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
        """Minibatches that each contestant plays: the one that it starts with, and its turns."""
        return 1 + (self.warm_up + self.turns) * self.minibatches

    @property
    def words(self) -> list[str]:
        """What ``train.py`` is told of the game."""
        words = [*MODELS[self.model], *(word.format(root=Path(self.data_root).resolve()) for word in DATA[self.data])]
        return [*words, f"data.batch_size={self.batch}"]

    def entries(self) -> list["Entry"]:
        """Who plays. The textbook in float32 always does: the ratios are to it."""
        pairs = [REFERENCE, *(Entry(c, p) for p in self.precisions for c in self.contestants)]
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
    """The command that a user gives, and a callback that takes turns."""
    # Most of the minutes that a run is in the contest it waits: as many saves as in a run of its own.
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
    """The same with each player's turn as a CUDA graph."""
    return [*train_py(setting, entry, folder), "trainer.capture=true"]


COMMANDS = {
    "textbook": module("textbook"),
    "textbook_detached": module("textbook", "detached"),
    "lightning_example": module("lightning_example"),
    "bare": module("bare"),
    "ours": train_py,
    "captured": captured,
}
USUAL = ("textbook", "lightning_example", "bare", "ours")  # who can play on every device


@dataclass(frozen=True)
class Summary:
    """Numbers, one for each round: their median, quartiles and mean."""

    median: float
    first_quartile: float
    third_quartile: float
    mean: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary":
        first, median, third = statistics.quantiles([*values], n=4, method="inclusive") if values[1:] else 3 * values
        return cls(median, first, third, statistics.mean(values))


@dataclass(frozen=True)
class Result:
    """What was measured of an entry.

    Args:
        entry: whose.
        start_up: seconds from the start of its process to the end of its first minibatch.
        turns: what it reported.
    """

    entry: Entry
    start_up: float
    turns: list[Turn]


@dataclass(frozen=True)
class Contest:
    """A contest that is over.

    Args:
        setting: what it was about.
        results: an entry's each.
        limits: of each precision.
    """

    setting: Setting
    results: list[Result]
    limits: dict[str, Limits]

    def milliseconds(self, result: Result) -> Summary:
        """Of a minibatch."""
        return Summary.of([1000 * turn.seconds / self.setting.minibatches for turn in result.turns])

    def ratio(self, result: Result, reference: Entry, clock: str = "seconds") -> Summary | None:
        """The time of an entry as a multiple of another one's in the same round; None where that one did not play."""
        others = next((other.turns for other in self.results if other.entry == reference), None)
        if others is None:
            return None
        pairs = zip(result.turns, others, strict=True)
        return Summary.of([getattr(turn, clock) / getattr(other, clock) for turn, other in pairs])

    def total_ratio(self, result: Result, reference: Entry) -> float | None:
        """As :meth:`ratio`, of the sums over all rounds: what comes in few of them, pictures say, counts too."""
        others = next((other.turns for other in self.results if other.entry == reference), None)
        return sum(t.seconds for t in result.turns) / sum(t.seconds for t in others) if others else None

    def images_per_second(self, result: Result) -> float:
        return 1000 * self.setting.batch / self.milliseconds(result).median

    def over_limit(self, result: Result) -> float:
        """The median time as a multiple of what the arithmetic takes at least."""
        return self.milliseconds(result).median / self.limits[result.entry.precision].arithmetic_ms

    def record(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "setting": asdict(self.setting),
            "limits": {precision: asdict(limit) for precision, limit in self.limits.items()},
            "results": [self._record(result) for result in self.results],
        }

    def _record(self, result: Result) -> dict[str, Any]:
        of_bare = Entry("bare", result.entry.precision)
        ratios = {
            f"{clock}_over_{name}": self.ratio(result, reference, clock)
            for clock in ("seconds", "cpu_seconds")
            for name, reference in (("textbook", REFERENCE), ("bare", of_bare))
        }
        return {
            **asdict(result.entry),
            "milliseconds": asdict(self.milliseconds(result)),
            **{name: asdict(ratio) if ratio else None for name, ratio in ratios.items()},
            "total_over_textbook": self.total_ratio(result, REFERENCE),
            "total_over_bare": self.total_ratio(result, of_bare),
            "images_per_second": self.images_per_second(result),
            "over_arithmetic_limit": self.over_limit(result),
            "peak_bytes": max(turn.peak_bytes for turn in result.turns),
            "start_up_seconds": result.start_up,
            "turns": [asdict(turn) for turn in result.turns],
        }


def hold(setting: Setting, say: Callable[[str], None]) -> Contest:
    """Plays a contest, then measures the machine.

    Args:
        setting: what it is about.
        say: told what is going on.

    Raises:
        Died: a contestant could not go on.
        UserError: the data could not be had.
    """
    threads = {name: str(setting.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    with tempfile.TemporaryDirectory(prefix="gan_speed_") as place:
        folder = Path(place)
        games = write_games(setting, folder)
        contestants: dict[Entry, Contestant] = {}
        try:
            for entry in setting.entries():
                say(f"starting {entry}")
                contestants[entry] = Contestant(
                    name=str(entry),
                    command=COMMANDS[entry.contestant](setting, entry, folder),
                    minibatches=setting.minibatches,
                    folder=REPOSITORY,
                    environment={**os.environ, **threads},
                    matmul=PRECISIONS[entry.precision].matmul,
                )
            say(f"{setting.warm_up} + {setting.turns} rounds of {len(contestants)} × {setting.minibatches} minibatches")
            turns = play([*contestants.values()], setting.turns, setting.warm_up)
            for contestant in contestants.values():
                contestant.finish()
        finally:
            for contestant in contestants.values():
                contestant.close()
        results = [Result(entry, c.start_up, turns[c.name]) for entry, c in contestants.items()]
        say("measuring the machine")
        before = torch.get_num_threads()
        torch.set_num_threads(setting.threads)
        try:
            found = {precision: measure(setting, game) for precision, game in games.items()}
        finally:
            torch.set_num_threads(before)
        return Contest(setting, results, found)


def write_games(setting: Setting, folder: Path) -> dict[str, Game]:
    """Writes the images and, for each precision, the game; returns the games."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", [*setting.words, f"output_dir={folder}"])
    data = part(cfg, "data")
    data.prepare_data()
    data.setup("fit")
    images = folder / "images.pt"
    torch.save({"images": data.splits["train"].images.clone(), "mean_image": data.mean_image()}, images)
    games = {}
    for precision in dict.fromkeys(entry.precision for entry in setting.entries()):
        games[precision] = Game.of(cfg, images, setting.total, setting.device, precision)
        games[precision].write(folder / f"{precision}.json")
    return games


def measure(setting: Setting, game: Game) -> Limits:
    """What the machine allows for this game."""
    images, mean_image = game.load_images()
    generator, discriminator = game.networks(mean_image)
    return limits(
        layers(generator, torch.zeros(1, game.latent["dim"])),
        layers(discriminator, torch.zeros(1, *images.shape[1:])),
        setting.batch,
        game.precision,
        setting.device,
        setting.square,
    )
