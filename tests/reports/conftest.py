"""Folders as train.py and evaluate.py leave them, written without a training."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from gan.runs import outcome
from tests.conftest import composed

DONE = "2026-01-02 03:04:05,678 INFO done: 100 batches in 3 s\n"


def scored(metric: str, generator: str, value: float, better: str | None = "lower", **rest: object) -> dict:
    """A record of metrics.json."""
    record = {"metric": metric, "generator": generator, "value": value, "better": better, "unit": "", "split": "test"}
    record |= {"features": "pixels", "samples": 100, "provenance": {"written": "2026-01-02T03:04:05+00:00"}}
    return record | rest


def write_job(
    folder: Path,
    *overrides: str,
    scores: Sequence[dict] = (),
    curves: Mapping[str, Sequence[float]] | None = None,
    log: str = DONE,
    objective: outcome.Objective = None,
    gray: int | None = 128,
) -> Path:
    """Writes the folder of a run.

    Args:
        folder: of the run.
        *overrides: of its command line.
        scores: records of metrics.json.
        curves: values of each scalar at epochs 1, 2, ….
        log: train.log.
        objective: what the run returned; None for no outcome.json.
        gray: brightness of its sample grid; None for no grid.
    """
    (folder / ".hydra").mkdir(parents=True)
    config = composed(*(word for word in overrides if word.startswith("loss=") and "<" not in word))
    config.output_dir = str(folder)
    for word in overrides:
        if isinstance(OmegaConf.select(config, word.partition("=")[0]), int | float | str):
            config.merge_with_dotlist([word])  # faster than a composition
    OmegaConf.save(config, folder / ".hydra" / "config.yaml")
    OmegaConf.save(OmegaConf.create(list(overrides)), folder / ".hydra" / "overrides.yaml")
    choices = dict(word.split("=", 1) for word in overrides if word.startswith(("loss=", "model=")))
    runtime = {"choices": {"loss": "nonsaturating"} | choices, "config_sources": [], "cwd": str(folder)}
    settings = {"hydra": {"runtime": runtime}}
    settings["hydra"]["job"] = {"config_name": "train"}
    OmegaConf.save(OmegaConf.create(settings), folder / ".hydra" / "hydra.yaml")
    (folder / "checkpoints").mkdir()
    (folder / "train.log").write_text(log, encoding="utf-8")
    if scores:
        (folder / "metrics.json").write_text(json.dumps(list(scores)), encoding="utf-8")
    if objective is not None:
        outcome.write(folder, objective)
    if curves:
        with SummaryWriter(str(folder)) as writer:
            for name, values in curves.items():
                for i, value in enumerate(values):
                    writer.add_scalar(name, value, 10 * (i + 1))
            for i in range(max(map(len, curves.values()))):
                writer.add_scalar("epoch", i + 1, 10 * (i + 1))
    if gray is not None:
        (folder / "samples").mkdir()
        for step, level in ((0, 0), (100, gray)):
            image = Image.fromarray(np.full((20, 30, 3), level, dtype=np.uint8))
            image.save(folder / "samples" / f"step={step:07d}_ema.png")
    return folder


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run's folder below the sweep: ``make_job("0", "loss=hinge", "seed=1", objective=2.0)``."""
    return lambda name, *overrides, **parts: write_job(tmp_path / "sweep" / name, *overrides, **parts)


@pytest.fixture
def sweep(tmp_path: Path, make_job: Callable[..., Path]) -> Path:
    """Three losses with two seeds: hinge has the best objective, lsgan has lost a run to NaN."""
    objectives = {"nonsaturating": (3.0, 3.4), "hinge": (1.0, 1.2), "lsgan": (0.5, None)}
    for i, (loss, values) in enumerate(objectives.items()):
        for seed, value in enumerate(values, start=1):
            scores = [scored("frechet_distance", "raw", 20.0 + i + seed), scored("frechet_distance", "floor", 1.5)]
            scores += [scored("frechet_distance", "ema", 10.0 + i + 0.5 * seed), scored("recall", "ema", 0.1 * i, None)]
            curves = {"loss/generator": [i + seed, i, i / 2], "D(x)": [0.9, 0.7, 0.5], "valid/fid/ema": [9.0, 5.0, 4.0]}
            log = DONE if value is not None else "2026-01-02 03:04:05,678 ERROR error: loss/generator is NaN.\n"
            if loss == "hinge":
                log += "2026-01-02 03:04:06,000 WARNING iteration 50: mode collapse: one image.\n"
            make_job(
                str(2 * i + seed - 1),
                f"loss={loss}",
                f"seed={seed}",
                scores=scores if value is not None else (),
                curves=curves,
                log=log,
                objective=value,
                gray=60 * (i + 1),
            )
    return tmp_path / "sweep"
