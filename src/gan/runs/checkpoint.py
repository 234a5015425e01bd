"""Checkpoint files: written whole or not at all, read without unpickling."""

import warnings
from pathlib import Path

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from gan.core.errors import UserError
from gan.core.files import write_whole
from gan.runs.migrations import FORMAT, migrate_checkpoint

#: what only our checkpoints have beside Lightning's own entries
OWN_KEYS = ("iteration", "hyper_parameters", "state_dict")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, forces it to the disk, then renames: a kill leaves the old file whole."""

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
    """The contents of one of our checkpoints, on the CPU.

    Args:
        path: the file.
        key: what the user named it with, for the messages.

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
            warnings.simplefilter("ignore")  # torch muses about foreign pickles before it refuses them
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes of something else can trip the unpickler in any way
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
    """The operating system's words where there are any in the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error).splitlines()[0]
