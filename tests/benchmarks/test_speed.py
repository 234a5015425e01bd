"""The speed contest, very small; no speed is asserted."""

import json
import math

import pytest
import torch
from hydra import compose, initialize_config_dir

from benchmarks import speed
from benchmarks.limits import Limits
from benchmarks.results import Contest, Result
from benchmarks.roster import COMMANDS, DATA, MODELS, Entry, Setting, train_py
from benchmarks.turns import Turn
from gan.app.command_line import CONF, check
from gan.app.prepare import prepare
from gan.core.hardware import processor
from gan.runs.build import build

SMALL = {
    **{"model": "mlp", "data": "synthetic", "batch": 4, "device": "cpu", "precisions": ("float32", "bf16-mixed")},
    **{"contestants": ("bare", "ours"), "turns": 2, "warm_up": 1, "minibatches": 3, "threads": 1},
    **{"data_root": "nowhere", "square": 16},
}


@pytest.mark.slow
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("model", MODELS)
def test_train_py_accepts_the_options_of_every_contest(model, data, tmp_path):
    if (model, data) == ("dcgan_textbook", "digits"):
        pytest.skip("its networks are for 28×28 images")
    setting = Setting(**{**SMALL, "model": model, "data": data})
    words = train_py(setting, Entry("ours", "bf16-mixed"), tmp_path)[2:]
    check(words, "train")
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", words)
    game = build(cfg)
    names = [type(callback).__name__ for callback in game.trainer.callbacks]
    # Lightning puts checkpoint callbacks last, so that a save counts in the next turn.
    assert names[-2:] == ["TakeTurns", "Checkpoint"]
    assert {"Monitor", "Guard", "Diagnosis", "SampleGrids", "Progress"} < set(names)
    assert game.trainer.loggers
    if data != "mnist":
        prepare(game, cfg)
        assert game.module.total_iterations == setting.total == 10


def test_textbook_entry_is_always_included_once():
    setting = Setting(**SMALL)
    assert [str(entry) for entry in setting.entries()] == [
        *("textbook, float32", "bare, float32", "ours, float32", "bare, bf16-mixed", "ours, bf16-mixed"),
    ]
    assert len(Setting(**{**SMALL, "contestants": ("textbook",)}).entries()) == 2


def test_ratios_compare_times_of_the_same_round():
    """A machine that is ten times slower in one round changes no ratio."""
    textbook, ours = ([Turn(f * t, 1.0, 5) for t in (2.0, 20.0, 2.0)] for f in (1, 0.25))
    limit = Limits(8, 9, {"torch.mm": 1.0}, 1.0, arithmetic_ms=50.0, own_shapes_ms=60.0, traffic_ms=7.0)
    entries = (Entry("textbook", "float32"), Entry("ours", "float32"))
    results = [Result(entry, 1.0, turns) for entry, turns in zip(entries, (textbook, ours), strict=True)]
    held = Contest(Setting(**{**SMALL, "minibatches": 2}), results, {"float32": limit})
    ratio = held.ratio(results[1], entries[0])
    assert (ratio.first_quartile, ratio.median, ratio.third_quartile, ratio.mean) == (0.25, 0.25, 0.25, 0.25)
    milliseconds = held.milliseconds(results[1])
    assert (milliseconds.median, milliseconds.third_quartile, milliseconds.mean) == (250, 1375, 1000)
    assert held.images_per_second(results[1]) == 4 / 0.25
    assert held.over_limit(results[1]) == 5
    assert held.ratio(results[1], Entry("bare", "float32")) is None
    cells = next(line for line in speed.table(held) if line.startswith("| ours"))
    shown = [cell.strip() for cell in cells.strip("|").split("|")]
    assert shown[:5] == ["ours", "float32", "250.0 (250.0–1375.0)", "0.25 (0.25–0.25)", "–"]
    assert shown[5:7] == ["0.25", "–"]


def test_slow_turn_counts_in_the_total_ratio():
    limit = Limits(8, 9, {"torch.mm": 1.0}, 1.0, arithmetic_ms=50.0, own_shapes_ms=60.0, traffic_ms=7.0)
    entries = (Entry("textbook", "float32"), Entry("ours", "float32"))
    turns = ([Turn(2.0, 1.0, 5)] * 3, [Turn(t, 1.0, 5) for t in (1.0, 1.0, 4.0)])
    results = [Result(entry, 1.0, taken) for entry, taken in zip(entries, turns, strict=True)]
    held = Contest(Setting(**SMALL), results, {"float32": limit})
    assert held.ratio(results[1], entries[0]).median == 0.5
    assert held.total_ratio(results[1], entries[0]) == 1.0
    assert held.total_ratio(results[1], Entry("bare", "float32")) is None


def test_captured_entry_is_refused_on_a_cpu():
    with pytest.raises(SystemExit, match="captured needs --device cuda"):
        speed.main(["--contestants", "captured"])


@pytest.mark.slow
@pytest.mark.processes
def test_whole_contest_table_and_record(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(MODELS, "mlp", [*MODELS["mlp"], "model.generator.hidden=[16]"])
    words = "--data digits --batch 8 --turns 2 --warm-up 0 --minibatches 2 --threads 1 --square 16 --precision float32"
    speed.main([*words.split(), "--json", str(tmp_path / "speed.json")])
    output = capsys.readouterr().out
    assert output.startswith(f"{processor()}\n")
    lines = [line for line in output.splitlines() if line.startswith("|")]
    record = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    assert {"command", "when", "commit", "machine", "contests"} == record.keys()
    assert record["command"] == f"python -m benchmarks.speed {words} --json {tmp_path / 'speed.json'}"
    results = record["contests"][0]["results"]
    for line, name, result in zip(lines[2:], ["textbook", "lightning_example", "bare", "ours"], results, strict=True):
        assert name == result["contestant"]
        assert len(line.split("|")) == len(lines[0].split("|"))
        assert name in line
        assert "–" not in line.replace("(", "").split()  # no value is missing
        assert len(result["turns"]) == 2
        assert_positive(result)
    assert results[0]["seconds_over_textbook"]["median"] == results[2]["cpu_seconds_over_bare"]["median"] == 1
    assert_positive(record["contests"][0]["limits"])


def assert_positive(node):
    """Asserts that every number in a nested structure is positive and finite."""
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            assert_positive(child)
    elif not isinstance(node, str):
        assert node > 0
        assert math.isfinite(node)


@pytest.mark.processes
def test_failed_contestant_gives_a_one_line_error(monkeypatch, tmp_path):
    monkeypatch.setitem(COMMANDS, "textbook", lambda *_: ["python", "-c", "raise SystemExit('no room')"])
    words = "--data synthetic --contestants bare --turns 1 --minibatches 1 --threads 1 --precision float32"
    with pytest.raises(SystemExit) as left:
        speed.main(words.split())
    assert str(left.value) == "error: textbook, float32 ended with exit code 1: no room"
    assert torch.get_num_threads() == 1
