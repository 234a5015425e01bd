"""The benchmark of sweeps compares two launchers and the bits of their runs."""

import importlib.util

import pytest
import torch

from benchmarks import sweep

INSTALLED = importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher")


@pytest.mark.skipif(INSTALLED is None, reason="hydra-joblib-launcher is not installed")
@pytest.mark.slow
@pytest.mark.processes
def test_sweeps_are_timed_and_their_bits_compared(capsys):
    with pytest.raises(SystemExit) as end:
        sweep.main(["--jobs", "2", "--option", "trainer.max_epochs=1"])
    assert end.value.code == 0
    output = capsys.readouterr().out
    assert "2 jobs of 1 thread(s): " in output
    assert "same bits as the run alone: yes" in output


def test_other_weights_are_other_bits(tmp_path):
    for name, value in (("a", 1.0), ("b", 1.0), ("c", 1.0 + 2**-23)):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        saved = {"state_dict": {"w": torch.tensor([value])}, "iteration": 1, "hyper_parameters": {}}
        torch.save(saved, tmp_path / name / "checkpoints" / "last.ckpt")
    assert sweep.same_bits(tmp_path / "a", tmp_path / "b")
    assert not sweep.same_bits(tmp_path / "a", tmp_path / "c")
