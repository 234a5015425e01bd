"""A checkpoint that was moved or downloaded without its run's folder."""

import shutil

import pytest
import torch

from gan.runs.checkpoint import read

SMALL = ["model.generator.hidden=[24]", "model.discriminator.hidden=[16,16]", "latent.dim=9", "trainer=cpu"]
CHOSEN = [
    "model=maxout",
    "loss=minimax",
    "penalty=r1",
    "penalty.r1.weight=0.5",
    "k=2",
    "seed=5",
    "optim.gradient_clip=3",
]
TRAINS = ("k", "seed", "loss", "penalty", "latent", "data", "optim", "recipe", "ema", "g_steps")


def last(folder):
    return folder / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A checkpoint of another model, loss and penalty than the defaults, alone in a folder; and the whole run."""
    return tmp_path_factory.mktemp("moved")


@pytest.fixture
def lone(moved, command):
    if not (moved / "k2.ckpt").exists():
        status, output = command("train.py", moved, *SMALL, *CHOSEN, "trainer.max_steps=4", "output_dir=run")
        assert status == 0, output
        shutil.copy(last(moved / "run"), moved / "k2.ckpt")
    return moved / "k2.ckpt"


def test_resumed_lone_checkpoint_equals_one_in_its_folder(lone, moved, tmp_path, command):
    further = ["trainer.max_steps=7", "callbacks.monitor.every_n_batches=3"]
    for path, name in ((last(moved / "run"), "with"), (lone, "alone")):
        status, output = command("train.py", tmp_path, f"ckpt_path={path}", *further, f"output_dir={name}")
        assert status == 0, output
    assert "k2.ckpt has no record of its run beside it; the configuration inside it is used" in output
    whole, alone = (read(last(tmp_path / name)) for name in ("with", "alone"))
    assert alone["iteration"] == whole["iteration"] == 7
    for key in (*TRAINS, "model", "trainer"):
        assert alone["hyper_parameters"].get(key) == whole["hyper_parameters"].get(key), key
    for name, value in whole["state_dict"].items():
        assert torch.equal(alone["state_dict"][name], value), name
    # The words of that run do not give its configuration; its checkpoint does, in its folder too.
    assert not (tmp_path / "alone" / ".hydra" / "overrides.yaml").exists()
    words = [f"ckpt_path={last(tmp_path / 'alone')}", "trainer.max_steps=8", "output_dir=third"]
    status, output = command("train.py", tmp_path, *words)
    assert status == 0, output
    assert read(last(tmp_path / "third"))["hyper_parameters"]["k"] == 2


def test_given_values_and_what_follows_them_are_on_top(lone, tmp_path, command):
    words = ["recipe.epochs=1", "trainer.max_steps=-1", "trainer.limit_train_batches=6", "k=1", "model=maxout"]
    status, output = command("train.py", tmp_path, f"ckpt_path={lone}", *words, "output_dir=rest")
    assert status == 0, output
    found = read(last(tmp_path / "rest"))["hyper_parameters"]
    assert (found["k"], found["method"]["k"], found["trainer"]["max_epochs"], found["seed"]) == (1, 1, 1, 5)
    assert found["penalty"]["r1"]["weight"] == 0.5


@pytest.mark.parametrize("word", ["model=mlp", "loss=nonsaturating", "experiment=wgan"])
def test_other_choices_than_the_checkpoints_are_refused(lone, tmp_path, command, word):
    status, output = command("train.py", tmp_path, f"ckpt_path={lone}", word)
    assert status == 1
    assert output.count("\n") == 1
    assert f"{word} is not what the checkpoint {lone} was trained with" in output
