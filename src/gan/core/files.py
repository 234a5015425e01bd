"""Atomic file writes, and JSON files."""

import contextlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gan.core.errors import UserError

#: suffix of a file that is being written, and of the partial file that a killed process leaves
UNFINISHED = ".unfinished"


@contextlib.contextmanager
def write_whole(path: str | Path) -> Iterator[Path]:
    """Replaces a file atomically: a reader of ``path`` sees the complete old or the complete new contents.

    The block writes a temporary file in the same folder. When the block ends, the file is flushed to disk and
    renamed to ``path``. When the block raises, the temporary file is removed and ``path`` is unchanged; an error of the
    operating system names ``path``.

    Args:
        path: the file to write; its folder must exist.

    Yields:
        The path of the hidden temporary file to write; no other process or thread uses it.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}{UNFINISHED}")
    try:
        with naming(path):
            yield unfinished
            _force_to_disk(unfinished)
            unfinished.replace(path)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Names ``path`` in an error of the operating system that names no file, or a temporary one: a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and (error.filename is None or str(error.filename).endswith(UNFINISHED)):
            error.filename, error.filename2 = str(path), None
        raise


def check_writable(folder: str | Path) -> None:
    """Raises UserError if no file can be written in a folder; leaves nothing there."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}; give a copy of it that can.") from error


def read_json(path: str | Path) -> Any:
    """The contents of a JSON file.

    Raises:
        ValueError: no JSON, or nested deeper than Python's parser can follow.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _force_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)  # Windows flushes only files that are open for writing
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
