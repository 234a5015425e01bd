"""``metrics.csv`` of ``logger=csv``: the points of the event files, also after a resume."""

import csv

import numpy as np
import pytest

from gan.app.prepare import prepare
from gan.runs.build import build
from gan.runs.folder import RunFolder, read_table
from gan.training import MetricsFile
from tests.test_resume import StopAt, scalars

SHORT = ["trainer.max_epochs=2", "data.batch_size=128", "callbacks.monitor.every_n_batches=4"]  # 20 batches
DIAGNOSIS = [f"callbacks.diagnosis.{key}" for key in ("every_n_batches=6", "samples_every_n_batches=12", "warm_up=1")]


def rows(folder):
    """The rows without the speed, as written."""
    return [{k: v for k, v in row.items() if "speed" not in k} for row in read_table(folder / "metrics.csv")]


def test_table_holds_the_points_of_the_event_files(configure, run_training, tmp_path):
    run_training(configure(*SHORT, "logger=[csv,tensorboard]", "metrics=kernel", *DIAGNOSIS))
    table = rows(tmp_path / "run")
    assert [row["step"] for row in table] == ["4", "6", "8", "12", "16", "18", "20"]
    expected = scalars(tmp_path / "run")
    assert {"D(x)", "diagnosis/blow_up", "valid/kernel_distance/ema"} < expected.keys() == table[0].keys() - {"step"}
    for name, points in expected.items():
        found = {int(row["step"]): float(row[name]) for row in table if row[name]}
        assert found == pytest.approx(dict(points), rel=1e-6), name


def test_scalars_are_read_from_the_table_where_there_are_no_event_files(configure, run_training, tmp_path):
    run_training(configure(*SHORT, "logger=csv", folder="table"))
    run_training(configure(*SHORT, "logger=tensorboard", folder="events"))
    table, events = (RunFolder(tmp_path / name).read_scalars(["D(x)", "epoch"]) for name in ("table", "events"))
    assert [x for x, _ in table["D(x)"]] == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0])
    for name in table:
        assert np.array(table[name]) == pytest.approx(np.array(events[name]), rel=1e-6)


@pytest.mark.parametrize("checkpoint", [7, 8])
@pytest.mark.parametrize("folder", ["broken", "rest"])
def test_resumed_run_loses_and_repeats_no_row(configure, run_training, tmp_path, checkpoint, folder):
    """A run stops some points after its checkpoint, and resumes in its own folder or in another one."""
    words = [*SHORT, "logger=csv", *DIAGNOSIS]
    run_training(configure(*words, folder="whole"))
    cfg = configure(*words, folder="broken")
    broken = build(cfg)
    prepare(broken, cfg)
    path = tmp_path / "kept.ckpt"
    broken.trainer.callbacks += [SaveAt(checkpoint, path), StopAt(19, tmp_path / "unused.ckpt")]
    with pytest.raises(StopAt.StoppedError):
        broken.trainer.fit(broken.module, broken.data)
    assert rows(tmp_path / "broken")[-1]["step"] == "18"
    before = [row for row in rows(tmp_path / "broken") if int(row["step"]) <= checkpoint]
    run_training(configure(*words, f"ckpt_path={path}", folder=folder))
    found = rows(tmp_path / folder)
    assert (found if folder == "broken" else before + found) == rows(tmp_path / "whole")


class SaveAt(StopAt):
    """Saves a checkpoint after a batch."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.iteration == self.iteration:
            trainer.save_checkpoint(self.path)


def test_rows_are_merged_by_step_and_columns_are_added(tmp_path):
    table = MetricsFile(tmp_path / "run")
    table.log_metrics({"a": 1.5}, step=1)
    table.log_metrics({"b, c": 2}, step=1)
    table.log_metrics({"a": 0.123456789}, step=2)
    table.log_metrics({"a": 7.0, "d": float("nan")}, step=2)
    expected = [["step", "a", "b, c", "d"], ["1", "1.5", "2", ""], ["2", "7.0", "", "nan"]]
    with (tmp_path / "run" / "metrics.csv").open(encoding="utf-8") as file:
        assert list(csv.reader(file)) == expected


@pytest.mark.parametrize("torn", ["", "3", "30,1.5", "30,1.5,9"])
def test_unfinished_row_of_a_killed_run_is_dropped(tmp_path, torn):
    path = tmp_path / "metrics.csv"
    path.write_text(f"step,a,b\n10,1,\n20,2,5\n{torn}", encoding="utf-8")
    assert [row["step"] for row in read_table(path)] == ["10", "20"]
    MetricsFile(tmp_path).log_metrics({"a": 3}, step=20)
    assert path.read_text(encoding="utf-8") == "step,a,b\n10,1,\n20,3,\n"
