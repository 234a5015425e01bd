"""A folder in place of a checkpoint: the message names the file in it, if there is one."""

import pytest

from gan.core.errors import UserError
from gan.runs.checkpoint import read


@pytest.mark.parametrize("place", ["checkpoints/last.ckpt", "last.ckpt"])
def test_folder_with_a_checkpoint(tmp_path, place):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / place).touch()
    with pytest.raises(UserError) as error:
        read(tmp_path)
    assert str(error.value) == f"ckpt_path={tmp_path} is a folder; give the file {tmp_path / place}."


def test_folder_without_a_checkpoint(tmp_path):
    with pytest.raises(UserError) as error:
        read(tmp_path, key="checkpoint")
    assert str(error.value) == (
        f"checkpoint={tmp_path} is a folder; expected a checkpoint file, RUN/checkpoints/last.ckpt."
    )
