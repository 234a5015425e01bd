"""Time and memory against image size, number of images, batch size and k: ``python -m benchmarks.scaling --json FILE``.

One axis at a time is varied from a base point; each point is a process of its own, so that its peak memory is its own,
and trains like ``train.py`` with its default callbacks on images of noise. The exponent between neighboring points is
the logarithm of the ratio of their times over that of their sizes: 1 is linear, 0 is constant.
"""

import argparse
import itertools
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import endings
from benchmarks.machine import peak_memory
from benchmarks.timing import environment, told, write

BASE = {"image_size": 28, "images": 10_000, "batch_size": 64, "k": 1}
AXES = {
    "image_size": (28, 64, 128),
    "images": (10_000, 100_000, 1_000_000),
    "batch_size": (16, 64, 256, 1024),
    "k": (1, 2, 3, 5),
}
KEYS = {"image_size": "data.image_size", "images": "+data.images", "batch_size": "data.batch_size", "k": "k"}
MEASURES = ("minibatch_ms", "processor_ms", "load_seconds", "order_seconds", "peak_mib")
WARM_UP = 5  # batches that are not timed: they allocate memory


# In the process of one point


def play(point: Mapping[str, int], seconds: float, folder: str) -> dict:
    """Trains for about so many seconds, and returns the times and the memory.

    Returns:
        ``minibatch_ms`` with its median and quartiles, ``processor_ms`` the same in processor time, which other
        processes do not prolong, ``load_seconds`` for loading and preparing the images, ``order_seconds`` for an
        epoch's permutation, ``peak_mib`` and ``mib_of_images``.
    """
    import torch
    from hydra import compose, initialize_config_dir
    from pytorch_lightning.callbacks import Callback

    from gan.app.command_line import CONF
    from gan.app.prepare import prepare
    from gan.core.quiet import quiet
    from gan.methods.tricks import configure_process
    from gan.runs.build import build

    class Stopwatch(Callback):
        """Records the times between the ends of batches; ends the run when the time is up."""

        def __init__(self) -> None:
            self.ends: list[float] = []
            self.worked: list[float] = []

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            if trainer.strategy.root_device.type == "cuda":
                torch.cuda.synchronize()
            self.ends.append(time.perf_counter())
            self.worked.append(time.process_time())
            if len(self.ends) > WARM_UP + 5 and self.ends[-1] - self.ends[WARM_UP] > seconds:
                trainer.should_stop = True

    quiet()
    configure_process()
    words = [f"{KEYS[name]}={value}" for name, value in point.items()]
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose(
            "train",
            [
                "data._target_=benchmarks.synthetic.Synthetic",
                "features=pixels",
                "trainer.max_epochs=1000",
                f"output_dir={folder}",
                *words,
            ],
        )
    game = build(cfg)
    before = peak_memory() / 2**20
    started = time.perf_counter()
    prepare(game, cfg)
    loaded = time.perf_counter() - started
    stopwatch = Stopwatch()
    game.trainer.callbacks.append(stopwatch)
    game.trainer.fit(game.module, game.data)
    orders = []
    for epoch in range(3):
        started = time.perf_counter()
        game.data.train_dataloader().order(epoch)
        orders.append(time.perf_counter() - started)
    shown = {}
    for name, clock in (("minibatch_ms", stopwatch.ends), ("processor_ms", stopwatch.worked)):
        steps = [1000 * (b - a) for a, b in itertools.pairwise(clock[WARM_UP:])]
        # Over whole cycles of k batches: with k above 1, some batches update only the discriminator.
        turns = [statistics.fmean(steps[i : i + cfg.k]) for i in range(0, len(steps) - cfg.k + 1, cfg.k)]
        low, median, high = statistics.quantiles(turns, n=4)
        shown[name] = {"median": median, "least": low, "most": high}
    return {
        **point,
        "minibatches": len(stopwatch.ends) - WARM_UP - 1,
        **shown,
        "load_seconds": loaded,
        "order_seconds": statistics.median(orders),
        "peak_mib": peak_memory() / 2**20,
        "mib_before_data": before,
        "mib_of_images": game.data.splits["train"].images.nbytes / 2**20,
    }


# In the parent process


def measured(point: Mapping[str, int], seconds: float) -> dict:
    """The result of :func:`play` for a point, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = f"{dict(point)!r}, {seconds}, {folder!r}"
        code = f"import json; from benchmarks.scaling import play; print(json.dumps(play({arguments})))"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if done.returncode:
        raise RuntimeError(f"{point}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def exponents(points: Sequence[Mapping], axis: str) -> list[dict[str, float]]:
    """The exponents of every measure between neighboring points on an axis."""
    found = []
    for a, b in itertools.pairwise(points):
        growth = math.log(b[axis] / a[axis])
        found.append({m: math.log(_number(b[m]) / _number(a[m])) / growth for m in MEASURES})
    return found


def folder_start_ups(root: Path) -> dict[str, float]:
    """Seconds to load a folder of image files the first time, when they are decoded, and the second time."""
    from gan.data.folder import Folder

    def seconds() -> float:
        common = {"batch_size": 64, "image_size": 32, "channels": 3, "classes": 0, "seed": 1}
        data = Folder(str(copy), cache_dir=str(Path(folder) / "cache"), **common)
        started = time.perf_counter()
        data.prepare_data()
        data.setup()
        taken.append(len(data.splits["train"]))
        return time.perf_counter() - started

    taken: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "images"  # a folder of links
        for path in root.iterdir():
            if not path.name.startswith("."):
                copy.mkdir(exist_ok=True)
                (copy / path.name).symlink_to(path)
        first, second = seconds(), seconds()
    return {"training_images": taken[0], "first_start": first, "second_start": second}


def line(point: Mapping) -> str:
    """A point's measures for the terminal."""
    return (
        f"iteration {told(point['minibatch_ms'], 'ms'):28} computed {point['processor_ms']['median']:.1f} ms"
        f"  load {point['load_seconds']:.2f} s"
        f"  order {1000 * point['order_seconds']:.2f} ms"
        f"  peak {point['peak_mib']:.0f} MiB with {point['mib_of_images']:.0f} MiB of images"
    )


def _number(value: float | Mapping[str, float]) -> float:
    return value["median"] if isinstance(value, Mapping) else value


def main(words: Sequence[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds of training at each point")
    for axis, values in AXES.items():
        parser.add_argument(f"--{axis.replace('_', '-')}", type=int, nargs="*", default=values)
    parser.add_argument(
        "--memory", type=float, default=6.0, help="GiB; points whose images take more than half of it are left out"
    )
    parser.add_argument(
        "--folder", metavar="FOLDER", help="folder of image files, for the times of the first and second start"
    )
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args(words)
    known: dict[str, dict] = {}
    axes = {}
    for axis in AXES:
        points = []
        for value in getattr(given, axis):
            point = BASE | {axis: value}
            if point["images"] * point["image_size"] ** 2 > given.memory / 2 * 2**30:
                print(f"{axis}={value:,}: left out, its images take more than half of --memory={given.memory:g} GiB")
                continue
            if (key := json.dumps(point)) not in known:
                known[key] = measured(point, given.seconds)
            points.append(known[key])
            print(f"{axis:>10} {value:>9,}  {line(points[-1])}", flush=True)
        axes[axis] = {"points": points, "exponents": exponents(points, axis)}
        for found in axes[axis]["exponents"]:
            print(f"{'':>20}  exponents: " + ", ".join(f"{m} {value:.2f}" for m, value in found.items()))
    results = {"base": BASE, "seconds_at_each_point": given.seconds, "axes": axes}
    if given.folder and Path(given.folder).is_dir():
        results["folder"] = folder_start_ups(Path(given.folder))
        print("    folder  " + ", ".join(f"{k} {v:.4g}" for k, v in results["folder"].items()))
    elif given.folder:
        print(f"    folder  {given.folder} does not exist: left out")
    write(given.json, results)
    return results


if __name__ == "__main__":
    endings.run(main)
