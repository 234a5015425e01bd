"""The end of a run is recorded in its folder and read back exactly, in valid JSON."""

import json
import math

import pytest

from gan.core.errors import UserError
from gan.runs.outcome import FILE, Outcome, read, write


@pytest.mark.parametrize("objective", [None, 0.1, -3.0, math.inf, -math.inf, [0.1, math.inf]])
@pytest.mark.parametrize("finished", [True, False])
def test_what_is_written_is_read_back(tmp_path, objective, finished):
    write(tmp_path, objective, finished=finished)
    assert read(tmp_path) == Outcome(objective, finished)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    json.loads((tmp_path / FILE).read_text(encoding="utf-8"), parse_constant=refuse)


def test_nan_stays_nan(tmp_path):
    write(tmp_path, math.nan)
    assert math.isnan(read(tmp_path).objective)


def test_a_run_that_has_not_ended_has_no_outcome(tmp_path):
    assert read(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"objective": "abc", "finished": true}'])
def test_damaged_record_is_reported_in_one_line(tmp_path, text):
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"outcome.json is not the record of a run's end .*; remove it"):
        read(tmp_path)
