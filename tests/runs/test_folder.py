"""A run's folder: damaged curves and missing checkpoints give one line that names the file or folder."""

import pytest

from gan.core.errors import UserError
from gan.runs.folder import RunFolder, find_checkpoint, read_table

GOOD = "step,epoch,loss\n1,0.5,1.25\n2,1.0,\n"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("1.25", "1;25"),
        GOOD.replace("step", "stop"),
        GOOD.replace("\n2", "\nx"),
        GOOD.replace("\n2", f"\n{2**63}"),
        GOOD.replace("1.25", "1.25,3"),
        GOOD.replace("1.25", '"1.25'),
        GOOD.replace("1.0", "0"),
        GOOD.replace("1.0", "nan"),
        "\xf3" + GOOD,
    ],
)
def test_damaged_table_is_reported(tmp_path, text):
    (tmp_path / "metrics.csv").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match="damaged"):
        RunFolder(tmp_path).curves()


def test_whole_table_and_a_last_row_that_was_cut(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(GOOD + "3,1.", encoding="utf-8")
    assert [row["step"] for row in read_table(path)] == ["1", "2"]
    assert RunFolder(tmp_path).curves() == {"epoch": [(0.5, 0.5), (1.0, 1.0)], "loss": [(0.5, 1.25)]}


def test_missing_checkpoint_tells_what_was_expected(tmp_path):
    """A folder without runs, one of several runs, and a run that ended before its first checkpoint."""
    for name in ("empty", "sweep/seed=2/checkpoints", "sweep/seed=1/checkpoints"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sweep" / "seed=1" / "checkpoints" / "last.ckpt").touch()
    expected = "holds no runs: expected folders of train.py, with checkpoints/last.ckpt."
    for name in ("empty", "sweep/seed=2"):
        with pytest.raises(UserError) as error:
            find_checkpoint(tmp_path / name, "last")
        assert str(error.value) == f"run={tmp_path / name} {expected}"
    with pytest.raises(UserError) as error:
        find_checkpoint(tmp_path / "sweep", "last")
    assert str(error.value) == (
        f"run={tmp_path}/sweep holds no checkpoints/; give the folder of a single run, such as {tmp_path}/sweep/seed=1."
    )
    assert find_checkpoint(tmp_path / "sweep" / "seed=1", "last").is_file()
