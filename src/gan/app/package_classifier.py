"""Trains and packages a classifier: writes its weights and a record to the package.

Run it manually from the repository's root: ``python -m gan.app.package_classifier data=mnist data.root=FOLDER``.
"""

import json
import logging
import sys
import time
from dataclasses import asdict

import torch
from hydra import compose, initialize_config_dir

from gan.app.command_line import CONF
from gan.metrics.features.classifier import WEIGHTS, Recipe, accuracy, fit, save
from gan.runs.instantiate import part

RECIPES = {"mnist": Recipe(epochs=12), "digits": Recipe(epochs=100, batch_size=64)}


def ship(words: list[str]) -> dict:
    """Trains and packages a classifier on the data of the overrides; writes and returns its record."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", words)
    data = part(cfg, "data")
    data.prepare_data()
    data.setup()
    name = type(data).__name__.lower()
    recipe, started = RECIPES[name], time.perf_counter()
    train = data.splits["train"]
    net = fit(train.images, train.labels, data.classes, recipe, seed=0)
    record = {
        "command": f"python -m gan.app.package_classifier data={name}",
        "data": data.describe(),
        "recipe": asdict(recipe),
        "seed": 0,
        "seconds": round(time.perf_counter() - started),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "weights": sum(p.numel() for p in net.parameters()),
        "accuracy": {
            split: accuracy(net, data.splits[split].images, data.splits[split].labels) for split in data.splits
        },
    }
    path = WEIGHTS / f"{name}.safetensors"
    record["sha256"] = save(net, path, record)
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    print(json.dumps(ship(sys.argv[1:]), indent=1))
