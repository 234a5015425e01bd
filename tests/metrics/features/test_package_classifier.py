"""The command that trains and packages the classifiers."""

import json

import pytest
import torch
from safetensors import safe_open

from gan.app import package_classifier
from gan.metrics.features.classifier import Recipe, accuracy, checksum, load


def test_command_writes_weights_and_their_record(tmp_path, monkeypatch, digits):
    monkeypatch.setattr(package_classifier, "WEIGHTS", tmp_path)
    monkeypatch.setitem(package_classifier.RECIPES, "digits", Recipe(epochs=2, batch_size=200))
    record = package_classifier.ship(["data=digits"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits.json", "digits.safetensors"]
    assert json.loads((tmp_path / "digits.json").read_text(encoding="utf-8")) == record
    path = tmp_path / "digits.safetensors"
    assert record["sha256"] == checksum(path)
    assert record["recipe"]["epochs"] == 2
    assert record["data"] == digits.describe()
    test = digits.splits["test"]
    assert accuracy(load(path), test.images, test.labels) == record["accuracy"]["test"] > 0.3
    assert record["weights"] == sum(p.numel() for p in load(path).parameters())
    with safe_open(path, framework="pt") as file:  # the weights file holds the record, too
        assert json.loads(file.metadata()["record"]) == {key: record[key] for key in record if key != "sha256"}


def test_packaged_classifiers_match_the_recipes():
    for name, recipe in package_classifier.RECIPES.items():
        record = json.loads((package_classifier.WEIGHTS / f"{name}.json").read_text(encoding="utf-8"))
        assert Recipe(**record["recipe"]) == recipe
        assert record["command"] == f"python -m gan.app.package_classifier data={name}"
    assert {path.stem for path in package_classifier.WEIGHTS.glob("*.safetensors")} == set(package_classifier.RECIPES)


def test_classifier_is_trained_on_training_images_only(tmp_path, monkeypatch, digits):
    shown = []

    def fit(images, labels, *_, **__):
        shown.append((images, labels))
        raise KeyboardInterrupt

    monkeypatch.setattr(package_classifier, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        package_classifier.ship(["data=digits"])
    train = digits.splits["train"]
    assert torch.equal(shown[0][0], train.images)
    assert torch.equal(shown[0][1], train.labels)
