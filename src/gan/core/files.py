"""Files that are written whole or not at all."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

#: how the name of a file that is being written ends; what a killed process leaves behind ends so, too
UNFINISHED = ".unfinished"


@contextlib.contextmanager
def write_whole(path: str | Path) -> Iterator[Path]:
    """Replaces a file by one that is whole: whoever reads ``path`` sees the old contents or the new ones.

    The block writes a file of another name in the same folder. When the block ends the file is forced to the disk
    and takes the name ``path``; when it fails the file is removed, and what ``path`` held before is still there.

    Args:
        path: the file to write; its folder exists.

    Yields:
        The hidden file that the block has to write, which no other process or thread writes.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}{UNFINISHED}")
    try:
        yield unfinished
        _force_to_disk(unfinished)
        unfinished.replace(path)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _force_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)  # Windows forces only what is open for writing
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
