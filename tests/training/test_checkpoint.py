"""Checkpoints: signals, intervals and atomic writes."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from gan.app.prepare import prepare
from gan.core.errors import Stopped, UserError
from gan.runs.build import build
from gan.runs.checkpoint import AtomicCheckpointIO, read

SHORT = [
    "trainer.max_epochs=3",
    "data.batch_size=128",
    "logger=none",
    "~callbacks.sample_grids",
]  # 10 batches an epoch


class RunAt(Callback):
    """Runs an action at the end of one batch, before the checkpoint callback."""

    def __init__(self, iteration, action):
        self.iteration, self.action = iteration, action

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.iteration == self.iteration:
            self.action()


def start(cfg, *callbacks):
    game = build(cfg)
    prepare(game, cfg)
    game.trainer.callbacks[:0] = callbacks
    return game


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_saves_a_checkpoint_that_resumes_exactly(configure, run_training, tmp_path, number, exit_code):
    whole = run_training(configure(*SHORT, folder="whole"))
    handler = signal.getsignal(number)
    game = start(configure(*SHORT), RunAt(13, lambda: os.kill(os.getpid(), number)))
    with pytest.raises(Stopped, match=r"after iteration 13 .* ckpt_path=.*last.ckpt") as stopped:
        game.trainer.fit(game.module, game.data)
    assert stopped.value.exit_code == exit_code
    assert signal.getsignal(number) == handler
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    rest = run_training(configure(*SHORT, f"ckpt_path={last}", folder="rest"))
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, rest.module.state_dict()[name]), name


def test_intervals_count_batches_and_epochs(configure, tmp_path):
    saved = []

    class Watch(Callback):
        def on_save_checkpoint(self, trainer, pl_module, checkpoint):
            saved.append(pl_module.iteration)

    folder = tmp_path / "run" / "checkpoints"
    intervals = ["callbacks.checkpoint.every_n_batches=8", "callbacks.checkpoint.keep_every_n_epochs=2", "k=3"]
    game = start(configure(*SHORT, *intervals), Watch())
    game.trainer.fit(game.module, game.data)
    assert saved == [1, 8, 16, 20, 24, 30]
    assert sorted(path.name for path in folder.iterdir()) == ["epoch=0002.ckpt", "last.ckpt"]
    assert read(folder / "epoch=0002.ckpt")["iteration"] == 20
    assert read(folder / "last.ckpt")["iteration"] == 30


def test_checkpoint_is_saved_after_the_given_minutes(configure, tmp_path):
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    seen = []
    watch = [RunAt(3, lambda: time.sleep(0.7)), RunAt(4, lambda: seen.append(read(last)["iteration"]))]
    game = start(configure(*SHORT, "callbacks.checkpoint.every_n_minutes=0.01"), *watch)  # 0.6 seconds
    game.trainer.fit(game.module, game.data)
    assert seen == [3]


def test_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    target, writer = tmp_path / "checkpoints" / "last.ckpt", AtomicCheckpointIO()
    writer.save_checkpoint({"weights": torch.zeros(3)}, target)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"could not write .*last.ckpt: No space left on device.* still there"):
        writer.save_checkpoint({"weights": torch.ones(3)}, target)
    assert torch.load(target, weights_only=True)["weights"].eq(0).all()
    assert [path.name for path in target.parent.iterdir()] == ["last.ckpt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_error_has_the_message_of_the_system(tmp_path, monkeypatch):
    # The error of the real device, passed through torch's writer.
    full_device = Path("/dev/full").open("wb")  # noqa: SIM115
    monkeypatch.setattr("pathlib.Path.open", lambda self, mode: full_device)
    with pytest.raises(UserError, match=r"could not write .*: No space left on device. No checkpoint is there yet"):
        AtomicCheckpointIO().save_checkpoint({"weights": torch.ones(300_000)}, tmp_path / "last.ckpt")


@pytest.mark.parametrize("content", ["missing", "text", "cut short", "foreign", "pickle"])
def test_invalid_checkpoint_files_are_reported(tmp_path, content):
    import pickle

    path = tmp_path / "some.ckpt"
    if content == "text":
        path.write_text("hello", encoding="utf-8")
    elif content == "cut short":
        torch.save({"iteration": 1, "weights": torch.zeros(1000)}, path)
        path.write_bytes(path.read_bytes()[:2000])
    elif content == "foreign":
        torch.save({"state_dict": {}}, path)
    elif content == "pickle":
        path.write_bytes(pickle.dumps(print))
    message = {"missing": "no such file", "foreign": "another program"}.get(content, "not a readable checkpoint")
    with pytest.raises(UserError, match=f"ckpt_path=.*some.ckpt.*{message}"):
        read(path)


@pytest.mark.parametrize("reason", ["Permission denied", "Input/output error"])
def test_file_that_cannot_be_opened_is_not_called_cut_short(tmp_path, monkeypatch, reason):
    def refused(*_):
        raise PermissionError(13, reason) if reason.startswith("P") else OSError(5, reason)

    (tmp_path / "x.ckpt").touch()
    monkeypatch.setattr("zipfile.ZipFile", refused)  # root may read every file
    with pytest.raises(UserError, match=rf"^ckpt_path=.*x.ckpt: {reason}\.$"):
        read(tmp_path / "x.ckpt")
