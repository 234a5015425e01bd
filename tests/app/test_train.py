"""Whole trainings in this process, as the command line starts them."""

from pathlib import Path

from omegaconf import OmegaConf
from PIL import Image

from gan.app.train import train
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
    assert " · 1 batch\n" in output


def test_first_lines_say_what_is_trained_and_where(tmp_path, command):
    """Also in train.log. Seeds and paths are named once; what does not affect the training is left out."""
    words = ["loss=minimax", "k=2", "trainer=cpu", "trainer.max_steps=2"]
    status, output = command("train.py", tmp_path, *words, "seed=3", "logger=none", "output_dir=run")
    assert status == 0, output
    first, second = output.splitlines()[:2]
    assert first == f"{' '.join(words)} · seed 3 · Digits: 1,397 images 1×8×8 · 2 batches"
    assert second.startswith("parameters: generator 748,352 discriminator 722,945 · cpu with ")
    assert second.endswith(", 32-true · run folder: run")
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8").splitlines()
    assert [line.partition(" INFO ")[2] for line in log[:2]] == [first, second]


def test_first_line_shortens_a_long_command(configure, caplog):
    words = [f"optim.{network}.lr=0.00{number}" for number in range(1, 4) for network in ("generator", "discriminator")]
    cfg = configure("trainer.max_steps=1", "logger=none")
    (Path(cfg.output_dir) / ".hydra").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(words), Path(cfg.output_dir) / ".hydra" / "overrides.yaml")
    with caplog.at_level("INFO", logger="gan"):
        train(cfg)
    first = next(message for message in caplog.messages if "Digits" in message)
    assert first.startswith("optim.generator.lr=0.001 optim.discriminator.lr=0.001 ")
    assert first.endswith(" … · seed 1 · Digits: 1,397 images 1×8×8 · 1 batch")
    assert len(first) <= 140


def test_paths_are_relative_to_where_the_command_was_given(tmp_path, command):
    """Hydra would change to the run's folder: neither the paths given nor those printed would then be found."""
    images = tmp_path / "images"
    images.mkdir()
    for value in range(40):
        Image.new("L", (8, 8), 6 * value).save(images / f"{value}.png")
    folder = ["data=folder", "data.root=images", "data.image_size=8", "data.channels=1", "data.batch_size=8"]
    short = ["trainer.max_steps=2", "hydra.job.chdir=true", "logger=csv"]
    status, output = command("train.py", tmp_path, *SMALL, *folder, *short)
    assert status == 0, output
    assert "  checkpoint     run/checkpoints/last.ckpt\n" in output
    assert "  curves         run/metrics.csv\n" in output
    words = ["ckpt_path=run/checkpoints/last.ckpt", "trainer.max_steps=4", "output_dir=rest"]
    status, output = command("train.py", tmp_path, *words, "hydra.job.chdir=true")
    assert status == 0, output
    assert read(tmp_path / "rest" / "checkpoints" / "last.ckpt")["iteration"] == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "rest", "run"]
