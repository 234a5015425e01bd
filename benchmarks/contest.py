"""One contest, from its setting to its results."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir

from benchmarks.game import PRECISIONS, Game
from benchmarks.limits import Limits, layers, limits
from benchmarks.results import Contest, Result
from benchmarks.roster import COMMANDS, Entry, Setting
from benchmarks.timing import REPOSITORY, environment
from benchmarks.turns import Contestant, play
from gan.app.command_line import CONF
from gan.runs.build import part


def hold(setting: Setting, say: Callable[[str], None]) -> Contest:
    """Runs a contest, then measures the machine.

    Args:
        setting: the setting of the contest.
        say: called with progress messages.

    Raises:
        Died: a contestant failed.
        UserError: the data could not be loaded.
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
                    environment=environment() | threads,
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
    """The machine's limits for this game."""
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
