"""Checkpoint files: written atomically, read without unpickling."""

import warnings
from pathlib import Path

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from gan.core.errors import UserError
from gan.core.files import write_whole
from gan.runs.migrations import FORMAT, migrate_checkpoint

#: entries that only this project's checkpoints have, in addition to Lightning's
OWN_KEYS = ("iteration", "hyper_parameters", "state_dict")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a temporary file, flushes it to disk, then renames it: a killed process leaves the old file intact."""

    def save_checkpoint(self, checkpoint, path, storage_options=None) -> None:
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            checkpoint["format"] = FORMAT
            with write_whole(path) as unfinished, unfinished.open("wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
            raise UserError(
                f"could not write {path}: {_reason(error)}. "
                + ("The checkpoint written before is still there." if path.exists() else "No checkpoint is there yet.")
            ) from error

    def load_checkpoint(self, path, *args, **kwargs) -> dict:
        return migrate_checkpoint(super().load_checkpoint(path, *args, **kwargs), str(path))


def read(path: str | Path, key: str = "ckpt_path") -> dict:
    """The contents of a checkpoint of this project, on the CPU.

    Args:
        path: the file.
        key: the configuration key that named the file, for messages.

    Raises:
        UserError: there is no such file, or it is not a checkpoint of this project.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{key}={path} is a folder; give the file in it, such as {path / 'last.ckpt'}.")
    if not path.is_file():
        raise UserError(f"{key}={path}: no such file. Checkpoints are in a run's folder, under checkpoints/.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's warnings about foreign pickles, which it then refuses
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of another kind can raise any exception here
        raise UserError(
            f"{key}={path} is not a readable checkpoint (cut short, or a file of something else): expected "
            "a .ckpt written by train.py."
        ) from error
    if isinstance(checkpoint, dict):
        checkpoint = migrate_checkpoint(checkpoint, f"{key}={path}")
    if not isinstance(checkpoint, dict) or any(key not in checkpoint for key in OWN_KEYS):
        raise UserError(f"{key}={path} is a checkpoint of another program: expected one written by train.py.")
    return checkpoint


def _reason(error: BaseException) -> str:
    """The operating system's error message, if the chain of causes contains one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error).splitlines()[0]
