"""The curves of a damaged metrics.csv: one line that names the file."""

import pytest

from gan.core.errors import UserError
from gan.runs.folder import RunFolder, read_table

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
