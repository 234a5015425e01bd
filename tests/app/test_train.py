"""Whole trainings in this process, as the command line starts them."""

from gan.runs.checkpoint import read

SMALL = ["model.generator.hidden=[32]", "model.discriminator.hidden=[32]", "trainer=cpu", "output_dir=run"]


def test_fast_dev_run_trains_and_announces_its_number_of_batches(tmp_path, command):
    """Lightning counts the steps of two optimizers, announces nothing, and writes no curves."""
    status, output = command("train.py", tmp_path, *SMALL, "+trainer.fast_dev_run=3", "k=2")
    assert status == 0
    assert " · 3 batches\n" in output
    assert "done: 3 batches" in output
    assert "tensorboard --logdir" not in output
    assert read(tmp_path / "run" / "checkpoints" / "last.ckpt")["iteration"] == 3


def test_fast_dev_run_is_shorter_than_k(tmp_path, command):
    status, output = command("train.py", tmp_path, *SMALL, "+trainer.fast_dev_run=true", "k=5")
    assert status == 0
    assert " · 1 batches\n" in output
