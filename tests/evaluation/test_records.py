"""Records of scores in metrics.json: what they hold, and which ones a new score replaces."""

import json

import pytest
import torch

from gan.core.errors import UserError
from gan.evaluation.records import Row, read, record, write
from gan.metrics.base import Measure
from gan.runs.run import open_run


@pytest.fixture
def run(configure, run_training):
    cfg = configure("trainer.max_steps=3", "logger=none")
    run_training(cfg)
    opened = open_run(cfg.output_dir)
    opened.load_data()
    return opened


@pytest.fixture
def recorded(run):
    def make(value, samples=10, seed=0, features="pixels", split="test", found=None, **details):
        measure = Measure("frechet_distance", value, "", 0.1, details, found or {})
        return [record(Row("ema", measure, samples, features, split), seed, **run.origin)]

    return make


def values(path):
    return [r["value"] for r in json.loads(path.read_text(encoding="utf-8"))]


def test_only_records_of_the_same_protocol_are_replaced(recorded, tmp_path):
    path = write(tmp_path, recorded(1.0, found={"sigma": [1.0]}))
    write(tmp_path, recorded(2.0, found={"sigma": [2.0]}))
    assert values(path) == [2.0]
    write(tmp_path, recorded(3.0, samples=20))
    write(tmp_path, recorded(4.0, k=5))
    write(tmp_path, recorded(5.0, features="another"))
    write(tmp_path, recorded(6.0, split="valid"))
    write(tmp_path, recorded(7.0, seed=1))
    assert values(path) == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    write(tmp_path, recorded(8.0, features="another"))
    assert values(path) == [2.0, 3.0, 4.0, 6.0, 7.0, 8.0]


def test_record_holds_protocol_and_provenance(recorded):
    (stored,) = recorded(1.5, k=3)
    provenance = stored.pop("provenance")
    assert stored == {
        "metric": "frechet_distance",
        "value": 1.5,
        "unit": "",
        "better": None,
        "standard_error": 0.1,
        "generator": "ema",
        "checkpoint": "last.ckpt",
        "iteration": 3,
        "split": "test",
        "features": "pixels",
        "samples": 10,
        "seed": 0,
        "protocol": {"k": 3},
        "found": {},
    }
    assert provenance["data"] == "Digits: 1,397 images 1×8×8"
    assert provenance["torch"] == torch.__version__
    assert provenance["device"] == "cpu"


def test_linked_checkpoint_is_recorded_by_its_target(run):
    checkpoints = run.checkpoint.parent
    (checkpoints / "best.ckpt").symlink_to("last.ckpt")
    best = open_run(run.folder, "best")
    best.load_data()
    assert best.checkpoint.name == "best.ckpt"
    assert best.origin["checkpoint"] == "last.ckpt"


def test_checkpoint_outside_the_run_is_recorded_with_its_path(run, tmp_path):
    foreign = tmp_path / "foreign.ckpt"
    foreign.write_bytes(run.checkpoint.read_bytes())
    opened = open_run(run.folder, str(foreign))
    opened.load_data()
    assert opened.origin["checkpoint"] == str(foreign)


def test_foreign_metrics_json_is_not_overwritten(tmp_path):
    (tmp_path / "metrics.json").write_text("my notes", encoding="utf-8")
    with pytest.raises(UserError, match=r"metrics.json is not a list of records"):
        write(tmp_path, [])
    assert (tmp_path / "metrics.json").read_text(encoding="utf-8") == "my notes"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[1]", "{}", ""])
def test_other_contents_are_reported_in_one_line(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"^[^\n]*metrics.json is not a list of records \([^\n]*\); move it away"):
        read(tmp_path / "metrics.json")


def test_missing_file_reads_as_no_records(tmp_path):
    assert read(tmp_path / "metrics.json") == []
