"""The checks of ``python -m benchmarks.check_gpu``: functions that take a :class:`Bench` and return a result."""

import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.bench import Bench, Trained, largest_difference, same_bits
from benchmarks.verdicts import Found, Skip
from gan.runs.checkpoint import read

PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")
FIRST = "epoch=0001.ckpt"
#: a run whose learning rates are all exact in float32: powers of two that fall over 64 batches
EXACT = (
    *("recipe.lr=0.0009765625", "trainer.max_steps=64", "trainer.max_epochs=4"),
    "callbacks.checkpoint.keep_every_n_epochs=1",
)
CAPTURED = 1e-4  # largest difference of weights with and without capture: rounding, amplified over an epoch
PROCESSES = 2e-5  # largest difference of weights of two processes and one: another order of summation
PIXELS = 1e-3  # largest difference of samples on a GPU and on a CPU
#: tolerances of scores: relative and absolute
RELATIVE = 2e-3
ABSOLUTE = {
    **dict.fromkeys(("precision", "recall", "density", "coverage", "memorization", "good_samples"), 0.005),
    **{"class_divergence": 2e-3, "mode_divergence": 2e-3, "kernel_distance": 2e-3, "modes_found": 1.0},
}
PAIRS = 3  # pairs of similar samples that rounding may move across the birthday test's distance


@dataclass(frozen=True)
class Check:
    """A check.

    Args:
        name: its name in the report and for ``--only``.
        seconds: about how long it takes without cached runs; with less time left, it does not start.
        do: the function that checks.
    """

    name: str
    seconds: float
    do: Callable[[Bench], Found]


# Training


def possible(bench: Bench, precision: str) -> None:
    """Raises Skip if the device cannot train in that precision."""
    if precision == "16-mixed" and bench.device == "cpu":
        raise Skip("Lightning trains in float16 on GPUs only")
    if precision == "bf16-mixed" and bench.device == "cuda" and torch.cuda.get_device_capability() < (8, 0):
        raise Skip(f"compute capability {'.'.join(map(str, torch.cuda.get_device_capability()))}, bfloat16 needs 8.0")


def whole(bench: Bench, precision: str) -> Trained:
    """The run in a precision that most checks use."""
    possible(bench, precision)
    return bench.train(precision, f"trainer.precision={precision}")


def training(bench: Bench, precision: str) -> Found:
    """A run ends with finite losses, neither D nor G has won, and the same seed gives the same bits."""
    run = whole(bench, precision)
    again = bench.train(f"{precision}-again", f"trainer.precision={precision}")
    finite = all(math.isfinite(number) for point in run.points for number in point)
    *_, (real, fake, *losses) = run.points
    same = same_bits(run.state(), again.state())
    figures = (
        f"D(x) {real:.2f}, D(G(z)) {fake:.2f}, losses {' / '.join(f'{loss:.2f}' for loss in losses)}; same seed: "
        + ("same bits" if same else f"different by {largest_difference(run.state(), again.state()):.1e}")
        + f"; {run.images_per_second:,.0f} images/s"
        + (f"; peak {run.peak_memory}" if run.peak_memory else "")
        + ("" if finite else "; a loss is not finite")
    )
    return Found(finite and same and 0.05 < real < 0.99 and 0.01 < fake < 0.95, figures)


def resume(bench: Bench, precision: str) -> Found:
    """A run resumed from its middle ends with the same weights and optimizer states."""
    run = whole(bench, precision)
    return compare_resumed(run, bench.go_on(f"{precision}-resumed", run, bench.half), bench.half)


def compare_resumed(run: Trained, rest: Trained, middle: str) -> Found:
    same = same_bits(run.state(), rest.state())
    moved = largest_difference(*(read(run.checkpoint(name))["state_dict"] for name in ("last.ckpt", middle)))
    figures = "same bits" if same else f"different by {largest_difference(run.state(), rest.state()):.1e}"
    return Found(same and moved > 1e-4, f"from {middle}: {figures} (moved by {moved:.1e} since)")


# CUDA graphs


def captured(bench: Bench, *words: str, name: str = "captured") -> tuple[Trained, str]:
    """A captured run, and the reason why capture was unavailable, if it was."""
    if bench.device == "cpu":
        raise Skip("a CPU has no CUDA graphs")
    run = bench.train(name, "trainer.capture=true", *words)
    said = re.search(r"trainer\.capture: (.*)", run.log)
    return run, said[1] if said else ""


def capture(bench: Bench) -> Found:
    """Captured updates equal uncaptured ones: to the bit if learning rates are exact in float32, else to rounding."""
    run, why = captured(bench, *EXACT)
    plain = bench.train("eager", *EXACT)
    early, late = (largest_difference(run.state(n), plain.state(n)) for n in (FIRST, "last.ckpt"))
    figures = (
        f"largest difference {early:.1e} after an epoch (0 expected, at most {CAPTURED:.0e}), {late:.1e} at the end; "
        f"{run.images_per_second:,.0f} images/s captured, {plain.images_per_second:,.0f} step by step"
        + (f"; peak {run.peak_memory}" if run.peak_memory else "")
        + (f"; not recorded: {why}" if why else "")
    )
    return Found(early <= CAPTURED and not why, figures)


def capture_resume(bench: Bench) -> Found:
    """A resumed captured run equals the uninterrupted one to the bit."""
    run, why = captured(bench, *EXACT)
    found = compare_resumed(run, bench.go_on("captured-resumed", run, FIRST), FIRST)
    return Found(found.good and not why, found.figures + (f"; not recorded: {why}" if why else ""))


def capture_others(bench: Bench) -> Found:
    """Reports which other configurations can be captured; one that cannot is not a failure."""
    games = {
        "maxout, R1, clipped": ["model=maxout", "penalty=r1", "optim.gradient_clip=1"],
        "batch normalization, bfloat16, k 2": ["model=mlp_bn", "trainer.precision=bf16-mixed", "k=2"],
    }
    said = []
    for number, (game, words) in enumerate(games.items()):
        _, why = captured(bench, *words, name=f"captured-{number}")
        said.append(f"{game}: {f'step by step ({why})' if why else 'recorded'}")
    return Found(True, "; ".join(said))


# Evaluation and sampling


def evaluation(bench: Bench, *words: str) -> Found:
    """The scores of a run on the device equal those on the CPU."""
    run = whole(bench, "32-true")
    started = time.perf_counter()
    ours, said = bench.evaluate(run, bench.device, *words)
    between = time.perf_counter()
    on_cpu, _ = bench.evaluate(run, "cpu", *words)
    seconds = between - started, time.perf_counter() - between
    rows = [(key, ours[key], on_cpu[key], strain(ours[key], on_cpu[key])) for key in on_cpu]
    worst = max(rows, key=lambda row: row[-1])
    nets = {record["features"] for records in (ours, on_cpu) for record in records.values()} - {"pixels"}
    right = re.search(r"right on (\S+) of", said)
    figures = (
        f"{len(rows)} numbers, the farthest apart {worst[0][0]} ({worst[0][1]}) with {worst[-1]:.2g} of what is "
        f"allowed; {bench.device} {seconds[0]:.1f} s, cpu {seconds[1]:.1f} s, start-up included; "
        + ", ".join(sorted(nets))
        + (f", right on {right[1]}" if right else "")
    )
    return Found(ours.keys() == on_cpu.keys() and worst[-1] <= 1 and len(nets) == 1, figures, comparison(rows, bench))


def evaluation_trained(bench: Bench) -> Found:
    """The same with a feature extractor that is trained on the device of the first evaluation."""
    cache = bench.folder / "classifiers"
    return evaluation(bench, "features=trained", f"features.cache={cache}", "features.epochs=5")


def strain(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """The difference of two scores, relative to its tolerance."""
    a, b = ours["value"], theirs["value"]
    if a == b:
        return 0.0
    allowed = RELATIVE * max(abs(a), abs(b)) + ABSOLUTE.get(theirs["metric"], 0.0)
    if theirs["metric"] == "support_size":
        pairs = [record["found"]["pairs"] for record in (ours, theirs)]
        return abs(pairs[0] - pairs[1]) / PAIRS
    return abs(a - b) / allowed if math.isfinite(a - b) else math.inf


def comparison(rows: list[tuple], bench: Bench) -> str:
    """A table of the scores on both devices."""
    lines = [f"| {m} | {g} | {a['value']:.6g} | {b['value']:.6g} | {share:.2g} |" for (m, g), a, b, share in rows]
    return "\n".join(
        [
            f"Allowed: {RELATIVE:g} of the number, and for shares and divergences an amount besides.",
            "",
            f"| metric | generator | {bench.device} | cpu | difference ÷ allowed |",
            "|---|---|--:|--:|--:|",
            *lines,
        ]
    )


def sampling(bench: Bench) -> Found:
    """Samples and figures are written, and the samples equal those on the CPU."""
    run = whole(bench, "32-true")
    images = {}
    for device in dict.fromkeys([bench.device, "cpu"]):
        folder = run.folder / f"figures-{device}"
        figures = "figures=[grid,neighbours,interpolation]" if device == bench.device else "figures=grid"
        words = [f"run={run.folder}", f"device={device}", f"folder={folder}", "save_samples=true", figures]
        bench.run("sample.py", *words)
        with np.load(folder / "samples_ema.npz") as arrays:
            images[device] = arrays["images"]
    ours, on_cpu = images[bench.device], images["cpu"]
    difference = float(np.abs(ours - on_cpu).max())
    files = len(list((run.folder / f"figures-{bench.device}").iterdir()))
    figures = f"{files} files; largest difference of a pixel from the CPU's {difference:.1e} (at most {PIXELS:.0e})"
    return Found(bool(np.isfinite(ours).all()) and difference <= PIXELS and files >= 4, figures)


def processes(bench: Bench) -> Found:
    """Two processes equal one with twice the batch size."""
    if bench.device == "cuda" and torch.cuda.device_count() < 2:
        raise Skip(f"{torch.cuda.device_count()} GPU here, two processes need two")
    common = ["trainer.max_epochs=3", "k=2", "callbacks.checkpoint.keep_every_n_epochs=1"]
    for player in ("generator", "discriminator"):  # Adam would amplify rounding errors of gradients near zero
        common += [f"optim.{player}._target_=torch.optim.SGD", f"~optim.{player}.betas", f"optim.{player}.lr=0.1"]
    one = bench.train("one-process", *common, "data.batch_size=64")
    accelerator = "gpu" if bench.device == "cuda" else "cpu"
    two = bench.train(
        "two-processes", *common, "data.batch_size=32", "trainer=ddp", f"trainer.accelerator={accelerator}"
    )
    difference = largest_difference(one.state(), two.state())
    moved = largest_difference(*(read(one.checkpoint(name))["state_dict"] for name in ("last.ckpt", FIRST)))
    figures = f"largest difference {difference:.1e} (at most {PROCESSES:.0e}); moved by {moved:.1e}"
    return Found(difference <= PROCESSES and moved > 1e-4, figures)


def tests(bench: Bench) -> Found:
    """The tests that need a GPU."""
    if bench.device == "cpu":
        raise Skip("they need a GPU")
    output = bench.run("-m", "pytest", "-m", "gpu", "-n", "0", "-p", "no:cacheprovider", "tests")
    counted = re.findall(r"\d+ (?:passed|failed|skipped|error)\w*", output)
    return Found("passed" in output, ", ".join(counted))


def speed(bench: Bench) -> Found:
    """The speed contest of docs/performance.md, shortened."""
    contestants = ["textbook", "lightning_example", "bare", "ours", *["captured"] * (bench.device == "cuda")]
    precisions = [
        "float32",
        *["bf16-mixed"] * (bench.device == "cuda" and torch.cuda.get_device_capability() >= (8, 0)),
    ]
    record = bench.folder / "speed.json"
    words = ["--device", bench.device, "--contestants", *contestants, "--precision", *precisions, "--json", str(record)]
    output = bench.run("-m", "benchmarks.speed", *words, "--turns", "6", "--warm-up", "1", "--minibatches", "30")
    results = json.loads(record.read_text())["contests"][0]["results"]
    times = [f"{r['contestant']} {r['precision']} {r['milliseconds']['median']:.2f} ms" for r in results]
    return Found(True, "; ".join(times), table_in(output))


def table_in(output: str) -> str:
    """The contest's table, the line above it and those below, from its output."""
    lines = output.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("| contestant"))
    return "\n".join(line for line in lines[first - 2 :] if not line.startswith("measuring"))


def for_each(name: str, seconds: float, do: Callable[[Bench, str], Found]) -> list[Check]:
    """The check in each precision."""
    return [Check(f"{name}-{p}", seconds, lambda bench, precision=p: do(bench, precision)) for p in PRECISIONS]


#: the most important checks come first
CHECKS = [
    *for_each("training", 30, training),
    *for_each("resume", 15, resume),
    Check("capture", 30, capture),
    Check("capture-resume", 15, capture_resume),
    Check("capture-others", 30, capture_others),
    Check("evaluation", 30, evaluation),
    Check("evaluation-trained", 30, evaluation_trained),
    Check("sampling", 20, sampling),
    Check("processes", 40, processes),
    Check("tests", 60, tests),
    Check("speed", 120, speed),
]
