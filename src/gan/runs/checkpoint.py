"""Checkpoint files: written atomically; read as data, with checksums and without unpickling objects."""

import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from gan.core.errors import UserError, one_line
from gan.core.files import write_whole
from gan.runs.foreign import check_plain, check_resolved
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
        return read(path)


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
        inside = [file for file in (path / "checkpoints" / "last.ckpt", path / "last.ckpt") if file.is_file()]
        advice = f"give the file {inside[0]}" if inside else "expected a checkpoint file, RUN/checkpoints/last.ckpt"
        raise UserError(f"{key}={path} is a folder; {advice}.")
    if not path.is_file():
        raise UserError(f"{key}={path}: no such file. Checkpoints are in a run's folder, under checkpoints/.")
    source = f"{key}={path}"
    try:
        check_archive(path, source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's warnings about foreign pickles, which it then refuses
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except OSError as error:  # of the operating system, not of the contents
        raise UserError(f"{source}: {error.strerror or one_line(error)}.") from error
    except Exception as error:  # a file of another kind can raise any exception here
        raise UserError(
            f"{source} is not a readable checkpoint (cut short, or a file of something else): expected "
            "a .ckpt written by train.py."
        ) from error
    foreign = UserError(f"{source} is a checkpoint of another program: expected one written by train.py.")
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("hyper_parameters"), dict):
        raise foreign
    check_plain(checkpoint["hyper_parameters"], f"{source}: its configuration")
    check_resolved(checkpoint["hyper_parameters"], source)
    try:
        checkpoint = migrate_checkpoint(checkpoint, source)
    except (AttributeError, KeyError, TypeError) as error:  # an entry of another type than train.py writes
        raise foreign from error
    if any(key not in checkpoint for key in OWN_KEYS):
        raise foreign
    check_entries(checkpoint, source)
    return checkpoint


def check_archive(path: Path, source: str) -> None:
    """Compares a checkpoint with its checksums; the cost is a quarter of that of loading it.

    Raises:
        UserError: a bit differs from what was written, or the file is compressed and may expand to any size.
        zipfile.BadZipFile: no zip archive.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
        unique = len({entry.filename for entry in entries}) == len(entries)
        if not stored or not unique or sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise UserError(f"{source} is compressed or was put together by another program than train.py; not read.")
        try:
            damaged = archive.testzip()
        except zipfile.BadZipFile:
            damaged = "an entry"
    if damaged is not None:
        raise UserError(f"{source} is damaged (wrong checksum of {damaged}); take another copy or checkpoint.")


def check_entries(checkpoint: dict, source: str) -> None:
    """Raises UserError for weights or an iteration of another type, or a tensor that is larger than its data."""
    iteration, weights = checkpoint["iteration"], checkpoint["state_dict"]
    if type(iteration) is not int or iteration < 0:
        raise UserError(f"{source}: its iteration is no whole number; it was not written by train.py.")
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise UserError(f"{source}: its state_dict holds other values than tensors; it was not written by train.py.")
    for tensor in tensors(checkpoint):
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise UserError(f"{source}: it holds a tensor of shape {tuple(tensor.shape)} without the values for it.")


def tensors(value: object) -> Iterator[torch.Tensor]:
    """The tensors in nested containers."""
    waiting, seen = [value], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, torch.Tensor):
            yield node
        elif isinstance(node, dict | list | tuple) and id(node) not in seen:  # a pickle may hold itself
            seen.add(id(node))
            waiting += node.values() if isinstance(node, dict) else node


def _reason(error: BaseException) -> str:
    """The operating system's error message, if the chain of causes contains one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error).splitlines()[0]
