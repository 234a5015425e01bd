"""What a report reads of the runs' folders, also of damaged ones."""

import pytest

from gan.core.errors import UserError
from gan.reports.jobs import read_job, read_jobs, read_log
from tests.reports.conftest import DONE, scored

NAMES = ["0", "1", "2", "3", "4", "5"]


def test_jobs_are_found_at_any_depth_and_sorted_by_number(make_job, tmp_path):
    for name in ("10", "9", "optim/linear,seed=1"):
        make_job(name, "seed=1")
    assert [job.name for job in read_jobs(tmp_path / "sweep")] == ["9", "10", "optim/linear,seed=1"]


def test_a_runs_own_folder_is_one_job(make_job):
    (job,) = read_jobs(make_job("2026", "seed=4", objective=1.5))
    assert (job.name, job.seed, job.objective) == ("2026", "4", [1.5])
    assert job.grids["ema"].name == "step=0000100_ema.png"
    assert job.problems == []


@pytest.mark.parametrize(
    ("run", "message"),
    [(None, "run is missing"), ("nowhere", "no such folder"), (".", "holds no runs: expected folders of train.py")],
)
def test_a_folder_without_runs_is_one_clear_line(tmp_path, monkeypatch, run, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        read_jobs(run)


@pytest.mark.parametrize(
    ("file", "content", "left"),
    [
        (".hydra/config.yaml", b"a: [", "config"),
        (".hydra/config.yaml", b"just text", "config"),
        (".hydra/overrides.yaml", b"a: 1", "overrides"),
        (".hydra/hydra.yaml", b"\x00\x01", "choices"),
        ("metrics.json", b"[1, 2", "scores"),
        ("metrics.json", b'[{"metric": "recall", "generator": "ema", "value": "high"}]', "scores"),
        ("events.out.tfevents.1", b"not an event file at all", "curves"),
        ("outcome.json", b'{"objective": "low"}', "objective"),
    ],
)
def test_a_damaged_file_is_one_line_and_the_rest_is_read(make_job, file, content, left):
    folder = make_job("0", "loss=hinge", scores=[scored("recall", "ema", 0.5)], objective=2.0)
    (folder / file).write_bytes(content)
    job = read_job(folder, "0")
    (problem,) = job.problems
    assert str(folder) in problem
    assert "\n" not in problem
    assert not getattr(job, left)
    parts = {"config", "overrides", "choices", "scores", "objective"} - {left}
    assert all(getattr(job, part) for part in parts)


def test_curves_before_the_damage_are_kept(make_job):
    folder = make_job("0", curves={"D(x)": [0.9, 0.5, 0.4]})
    (file,) = folder.glob("events.out.tfevents.*")
    file.write_bytes(file.read_bytes()[:-20])
    job = read_job(folder, "0")
    assert [y for _, y in job.curves["D(x)"]] == pytest.approx([0.9, 0.5, 0.4])


def test_log_gives_warnings_once_and_the_error_that_ended_the_run(tmp_path):
    line = "2026-01-02 03:04:05,678 {} {}\n".format
    warning = line("WARNING", "iteration 1,000: mode collapse: one image. What usually helps: …")
    other = line("WARNING", "bfloat16 is emulated on this processor")
    error = line("ERROR", "error: the loss is NaN.")
    (tmp_path / "train.log").write_text(warning + other + error, encoding="utf-8")
    found = read_log(tmp_path)
    assert (found.error, found.finished) == ("the loss is NaN.", False)
    # The run is resumed: it repeats the warning, and ends.
    (tmp_path / "train.log").write_text(warning + error + warning + DONE, encoding="utf-8")
    found = read_log(tmp_path)
    assert found.warnings == ["iteration 1,000: mode collapse: one image. What usually helps: …"]
    assert (found.error, found.finished) == (None, True)


def test_log_names_the_exception_of_a_traceback(tmp_path):
    trace = "ERROR error\nTraceback (most recent call last):\n  File 'a', line 1\nMemoryError: no room\n"
    (tmp_path / "train.log").write_text(f"2026-01-02 03:04:05,678 {trace}", encoding="utf-8")
    assert read_log(tmp_path).error == "MemoryError: no room"


def test_a_run_that_a_time_limit_ended_is_not_finished(make_job):
    folder = make_job("0")
    (folder / "outcome.json").write_text('{"objective": null, "finished": false}', encoding="utf-8")
    assert not read_job(folder, "0").log.finished
