"""Decodes a folder of image files once into one file of raw bytes, which later runs memory-map."""

import hashlib
import json
import logging
import os
import time
import warnings
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
import torch
from filelock import FileLock, Timeout
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from tqdm import tqdm

from gan.core.errors import UserError
from gan.core.files import UNFINISHED, read_json, write_whole
from gan.data.decode import SUFFIXES, VERSION, WHITE, Unreadable, attempt

log = logging.getLogger(__name__)
say = rank_zero_only(log.info)

HOUR = 3600
CHECKED = 2**32  # bytes: a larger cache is not compared with its checksum, because it is not read at the start


@dataclass(frozen=True, slots=True)
class File:
    """An image file: its path below the root with ``/`` separators, its size in bytes, its modification time (ns)."""

    path: str
    size: int
    changed: int


def scan(root: Path) -> list[File]:
    """Every file below ``root`` with the suffix of an image; hidden files and folders (a leading dot) are skipped.
    Linked folders are read wherever they stand; only a link to a folder that contains it is skipped.

    Sorted by a hash of the path. This order is practically random, the same on every machine, and a new file does not
    change the order of the others.
    """
    files: list[File] = []
    folders = [("", frozenset([_place(root.stat())]))]
    while folders:
        folder, ancestors = folders.pop()
        with os.scandir(root / folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = f"{folder}{entry.name}"
                if entry.name.startswith((".", "__MACOSX")):
                    continue
                if entry.is_dir():
                    if (place := _place(entry.stat())) not in ancestors:  # links may form cycles
                        folders.append((f"{path}/", ancestors | {place}))
                elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122  (50,000 Paths take a second)
                    files.append(_file(path, entry))
    return sorted(files, key=lambda file: hashlib.blake2b(os.fsencode(file.path), digest_size=16).digest())


def _place(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _file(path: str, entry: os.DirEntry) -> File:
    try:
        status = entry.stat()
    except OSError:  # a broken link: the decoder will report it
        return File(path, 0, 0)
    return File(path, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Pixels:
    """Decoded images in a file of raw bytes.

    Args:
        path: the file, uint8 (N, C, H, W).
        shape: (N, C, H, W).
        corrupt: path and error of the files that could not be decoded and are left out.
        brightest: the largest value in the files of 16-bit gray; None if there are none.
    """

    path: Path
    shape: tuple[int, int, int, int]
    corrupt: dict[str, str]
    brightest: int | None = None

    @property
    def gibibytes(self) -> float:
        """Size of the decoded images in GiB."""
        return float(np.prod(self.shape, dtype=np.float64)) / 2**30

    def tensor(self) -> Tensor:
        """The images, uint8 (N, C, H, W), memory-mapped: read-only, and read from disk on access."""
        if self.shape[0] == 0:
            return torch.empty(self.shape, dtype=torch.uint8)
        with warnings.catch_warnings():
            # torch warns of read-only memory; a writable private mapping would count as used memory.
            warnings.simplefilter("ignore")
            return torch.from_numpy(np.memmap(self.path, np.uint8, "r", shape=self.shape))


def decoded(
    root: Path, files: list[File], image_size: int, channels: int, cache_dir: str | None = None, white: int = WHITE
) -> Pixels:
    """The decoded images of ``files``, in their order, from the cache if it is up to date.

    The cache is up to date if all paths, sizes and modification times are unchanged.

    Args:
        root: the folder of the images.
        files: the image files below the root.
        image_size: height and width of the decoded images.
        channels: 1 or 3.
        cache_dir: the folder of all caches; None for the user's cache directory.
        white: the value of 16-bit gray that becomes white, as do larger ones.

    Raises:
        UserError: the cache cannot be written.
    """
    name = f"{image_size}x{channels}-{_fingerprint(files, white)}"
    shape = (channels, image_size, image_size)
    folder = cache_of(root, cache_dir)
    if pixels := _read(folder, name, shape, root):
        return pixels
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lock").touch()
    except OSError as error:
        raise UserError(
            f"data.cache_dir: {folder} cannot be written ({error.strerror}); "
            "give a folder for decoded images with data.cache_dir=FOLDER."
        ) from error
    with alone(folder):
        pixels = _read(folder, name, shape, root)  # another process may have written it meanwhile
        return pixels or _build(root, files, folder, name, shape, white)


def _fingerprint(files: Iterable[File], white: int) -> str:
    version = str(VERSION) if white == WHITE else f"{VERSION} {white}"
    digest = hashlib.blake2b(f"{version}\n".encode(), digest_size=16)
    for file in files:
        digest.update(os.fsencode(f"{file.path}\0{file.size}\0{file.changed}\n"))
    return digest.hexdigest()


def cache_of(root: Path, cache_dir: str | None = None) -> Path:
    """The cache folder for the decoded images of ``root``."""
    base = platformdirs.user_cache_path("gan") if cache_dir is None else Path(cache_dir).expanduser()
    key = hashlib.blake2b(os.fsencode(root.resolve()), digest_size=8).hexdigest()
    return base / f"{root.resolve().name}-{key}"


def _read(folder: Path, name: str, shape: tuple[int, int, int], root: Path) -> Pixels | None:
    """The complete cached images; None if they are damaged, or if a file can now be read that could not."""
    try:
        record = read_json(folder / f"{name}.json")
        pixels = Pixels(
            folder / f"{name}.images", (record["count"], *shape), dict(record["corrupt"]), record.get("brightest")
        )
        if any(os.access(root / path, os.R_OK) for path in record.get("unreadable", ())):
            return None
        size = pixels.path.stat().st_size
        is_whole = size == np.prod(pixels.shape, dtype=np.int64)
        if is_whole and size <= CHECKED and "crc32" in record:  # older versions wrote none
            is_whole = record["crc32"] == _checksum(pixels.path)
        return pixels if is_whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while part := file.read(2**24):
            checksum = zlib.crc32(part, checksum)
    return checksum


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """A lock for one process at a time. Without file locks several processes repeat the work, which is harmless."""
    lock = FileLock(folder / "lock")
    with suppress(OSError, NotImplementedError):  # some network drives do not support locks
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say("waiting for another process, which is decoding images for %s", folder)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build(root: Path, files: list[File], folder: Path, name: str, shape: tuple[int, int, int], white: int) -> Pixels:
    """Decodes all files; the final files appear only when they are complete."""
    say("decoding %s images in %s, once: they are kept in %s", f"{len(files):,}", root, folder)
    corrupt: dict[str, str] = {}
    unreadable: list[str] = []
    brightest: list[int] = []
    checksum = 0
    try:
        with write_whole(folder / f"{name}.images") as unfinished, unfinished.open("wb") as file:
            for path, result in _decode_all(root, [file.path for file in files], shape, white, brightest.append):
                if isinstance(result, str):
                    corrupt[path] = result
                    unreadable += [path] if isinstance(result, Unreadable) else []
                else:
                    file.write(pixels := result.tobytes())
                    checksum = zlib.crc32(pixels, checksum)
        count = len(files) - len(corrupt)
        top = max(brightest, default=None)
        record = {
            "count": count,
            "corrupt": corrupt,
            "unreadable": unreadable,
            "crc32": checksum,
            "brightest": top,
        }
        with write_whole(folder / f"{name}.json") as unfinished:
            unfinished.write_text(json.dumps(record, indent=1))
    except OSError as error:
        size = len(files) * float(np.prod(shape)) / 2**30
        raise UserError(f"{folder}: {error.strerror}; the decoded images take {size:.2g} GiB there.") from error
    _tidy(folder, name)
    return Pixels(folder / f"{name}.images", (count, *shape), corrupt, top)


def _decode_all(
    root: Path, paths: list[str], shape: tuple[int, int, int], *options
) -> Iterator[tuple[str, np.ndarray | str]]:
    """Yields each path with its pixels (C, H, W) or its error, in order; the options are those of ``decode``."""
    # Threads suffice, because PIL's decoders and its resize release the GIL. Ctrl-C then reaches one process only.
    threads = usable_cores()
    with ThreadPoolExecutor(threads) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PIL's warnings about files that it can read
        bar = tqdm(paths, desc="decoding", unit=" images", disable=None, leave=False)
        results: deque = deque()
        for path in bar:
            results.append((path, pool.submit(attempt, root / path, shape[1], shape[0], *options)))
            if len(results) > 8 * threads:  # limits the number of decoded images in memory
                done, future = results.popleft()
                yield done, future.result()
        yield from ((done, future.result()) for done, future in results)


def _tidy(folder: Path, name: str) -> None:
    """Removes outdated caches and the partial files of killed processes from the folder."""
    size = name.partition("-")[0]
    for path in folder.glob(f"{size}-*"):
        with suppress(OSError):
            if path.stem != name:
                path.unlink()
    for path in folder.glob(f".{size}-*{UNFINISHED}"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > HOUR:
                path.unlink()


def usable_cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
