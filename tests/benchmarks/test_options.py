"""The cost of an option: ratios of the same round, and a failed option's message."""

import json

import pytest

from benchmarks import options
from benchmarks.turns import Turn


def test_ratios_compare_turns_of_the_same_round():
    # Round by round 2, 3 and 4 times as long; the ratio of the medians would be 3 × 4 / 2 = 6.
    without = [Turn(seconds, seconds / 2, 0) for seconds in (4.0, 1.0, 2.0)]
    with_ = [Turn(seconds, seconds, 0) for seconds in (8.0, 3.0, 8.0)]
    found = options.cost({options.WITHOUT: without, options.WITH: with_}, minibatches=10)
    assert found["seconds_over_without"].median == 3
    assert found["cpu_seconds_over_without"].median == 6
    assert found["milliseconds"].median == 800


@pytest.mark.slow
@pytest.mark.processes
def test_each_option_gets_a_row_and_a_record(tmp_path, capsys):
    path = tmp_path / "costs.json"
    tiny = ["--turns", "1", "--warm-up", "0", "--minibatches", "1", "--threads", "1", "--json", str(path)]
    options.main(["experiment=ring", "--options", "penalty=r1 penalty.r1.weight=0.1", *tiny])
    assert "| `penalty=r1 penalty.r1.weight=0.1` | " in capsys.readouterr().out
    found = json.loads(path.read_text())["options"]["penalty=r1 penalty.r1.weight=0.1"]
    assert found["milliseconds"]["median"] > 0


@pytest.mark.processes
def test_wrong_option_ends_with_the_line_of_train_py(capsys):
    with pytest.raises(SystemExit, match=r"error: penalty=r9: with ended with exit code 1: .*There are: .*r2"):
        options.main(["experiment=ring", "--options", "penalty=r9", "--threads", "1"])
