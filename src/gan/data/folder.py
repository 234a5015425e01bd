"""A folder of image files as a data set."""

import logging
from collections.abc import Iterable
from pathlib import Path

import torch
from pytorch_lightning.utilities import rank_zero_only

from gan.core.checks import check_integer, check_number
from gan.core.errors import UserError
from gan.data.base import Batches, ImageData, Split
from gan.data.cache import File, Pixels, decoded, scan
from gan.data.decode import WHITE
from gan.data.streaming import Mapped, Streamed

log = logging.getLogger(__name__)
say, warn = rank_zero_only(log.info), rank_zero_only(log.warning)

SPLITS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}


class Folder(ImageData):
    """Every image file below a folder, decoded once and cached; see docs/data.md for layouts and the cache.

    A hash of its path assigns each image to a split, the same for every seed.

    Args:
        root: the folder.
        validation_share, test_share: shares of the images, if no subfolder holds these splits; in [0, 1).
        skip_corrupt: whether to skip files that cannot be decoded instead of raising an error.
        memory: largest size in GiB of decoded images that are held in memory; larger sets are read from disk.
        workers: number of processes that read ahead from disk in that case.
        cache_dir: folder of the decoded images; None for the user's cache directory.
        white: the value of 16-bit gray images that becomes white, as do larger ones, from 1 to 65,535; None for 65,535.
        **common: see :class:`Source`; a number of classes must equal the number of class subfolders.

    Attributes:
        class_names: the subfolders' names, indexed by label; empty if there are none.
        streams: whether the images are read from disk during training.
    """

    def __init__(
        self,
        root: str | None,
        validation_share: float = 0.1,
        test_share: float = 0.1,
        skip_corrupt: bool = False,
        memory: float = 4.0,
        workers: int = 2,
        cache_dir: str | None = None,
        white: int | None = None,
        **common,
    ) -> None:
        super().__init__(**common)
        check_number("[0, 1)", validation_share=validation_share, test_share=test_share)
        check_number("[0, inf)", memory=memory)
        check_integer("[0, inf)", workers=workers)
        check_integer(f"[1, {WHITE}]", or_none=True, white=white)
        if validation_share + test_share >= 1:
            raise ValueError(f"validation_share={validation_share} and test_share={test_share} leave nothing to train")
        if self.channels not in (1, 3):
            raise ValueError(f"channels must be 1 (grey) or 3 (colour), got {self.channels}")
        self.root = None if root is None else Path(root).expanduser()
        self.validation_share, self.test_share = validation_share, test_share
        self.skip_corrupt, self.memory, self.workers = skip_corrupt, memory, workers
        self.cache_dir, self.white = cache_dir, white or WHITE
        self.class_names: list[str] = []
        self.pixels: Pixels | None = None
        self.streams = False

    def prepare_data(self) -> None:
        check_root(self.root)

    def load(self) -> dict[str, Split]:
        files = images_below(self.root)
        named = are_splits(files)
        splits = divide(files, self.validation_share, self.test_share, named)
        listed = [file for part in splits.values() for file in part]
        self.pixels = decoded(self.root, listed, self.image_size, self.channels, self.cache_dir, self.white)
        check_corrupt(self.root, self.pixels, self.skip_corrupt)
        warn_of_dark(self.pixels, self.white)
        self.streams = self.pixels.gibibytes > self.memory
        self.class_names = class_names(listed, named)
        self._check_classes({class_of(file, named) for file in splits["train"]})
        everything = Split(images_of(self.pixels, self.streams), self._labels(listed, named))
        return cut(everything, {name: self._count(part) for name, part in splits.items()})

    def describe(self) -> str:
        return super().describe() + (" (streamed from the disk)" if self.streams else "")

    def train_dataloader(self) -> Batches:
        if not self.streams:
            return super().train_dataloader()
        # The training images come first in the file.
        train = self.splits["train"]
        images = Mapped(self.pixels, len(train))
        return Streamed(images, train.labels, self.trainer.strategy.root_device, self.workers, **self.stream())

    def _count(self, files: list[File]) -> int:
        return sum(file.path not in self.pixels.corrupt for file in files)

    def _labels(self, files: list[File], named: bool) -> torch.Tensor:
        numbers = {name: number for number, name in enumerate(self.class_names)}
        kept = (file for file in files if file.path not in self.pixels.corrupt)
        return torch.tensor([numbers.get(class_of(file, named), -1) for file in kept], dtype=torch.int64)

    def _check_classes(self, trained: set[str]) -> None:
        """Raises UserError for another number of classes, and for one that is not in ``trained``."""
        found = len(self.class_names)
        if self.classes not in (0, found):
            listed = f"{found} ({', '.join(self.class_names[:10])}{', …' if found > 10 else ''})" if found else "none"
            raise UserError(
                f"data.classes={self.classes}, but the class subfolders in data.root={self.root}: {listed}."
            )
        if self.classes and (missing := [name for name in self.class_names if name not in trained]):
            raise UserError(
                f"data.classes={self.classes}: class {missing[0]} in data.root={self.root} has no training images; add "
                "some or remove the class."
            )


# Functions for every data set in a folder of image files


def check_root(root: Path | None) -> None:
    """Raises UserError if ``root`` is not a folder."""
    if root is None:
        raise UserError("data.root is missing: give the folder of your images with data.root=FOLDER.")
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise UserError(f"data.root={root} {what}; give the folder of your images.")


def images_below(root: Path) -> list[File]:
    """The image files; raises UserError if there are none or a folder cannot be read."""
    try:
        files = scan(root)
    except OSError as error:
        raise UserError(f"data.root={root}: {error.filename}: {error.strerror}.") from error
    if not files:
        raise UserError(f"data.root={root} holds no images (PNG, JPEG, PGM, PPM, BMP or WebP files, at any depth).")
    return files


def check_corrupt(root: Path, pixels: Pixels, skip: bool) -> None:
    """Raises UserError for files that could not be decoded; with ``skip`` it logs their number instead."""
    if not pixels.corrupt:
        return
    (first, fault), count = next(iter(sorted(pixels.corrupt.items()))), len(pixels.corrupt)
    listed = f"; all are listed in {pixels.path.with_suffix('.json')}" if count > 1 else ""
    if pixels.shape[0] == 0:
        raise UserError(f"none of the {count:,} images in data.root={root} can be read, such as {first} ({fault}).")
    if not skip:
        others = f" and {count - 1:,} more" if count > 1 else ""
        raise UserError(
            f"{root / first} is corrupt ({fault}){others}{listed}. Repair or delete what is corrupt, or leave it out "
            "with data.skip_corrupt=true."
        )
    say("corrupt images left out: %s, the first %s (%s)%s", f"{count:,}", root / first, fault, listed)


def warn_of_dark(pixels: Pixels, white: int) -> None:
    """Logs a warning if no 16-bit image reaches half of white, as those of a 12-bit camera do not."""
    if pixels.brightest is not None and 2 * pixels.brightest < white:
        warn(
            "the brightest value of the 16-bit images is %s, and white is %s: they are almost black. "
            "data.white=%d stretches them (4095 for 12 bits, 16383 for 14 bits).",
            f"{pixels.brightest:,}",
            f"{white:,}",
            max(pixels.brightest, 1),
        )


def images_of(pixels: Pixels, streams: bool) -> torch.Tensor:
    """The images in memory, or memory-mapped if they are streamed from disk."""
    return pixels.tensor() if streams else pixels.tensor().clone()


def cut(everything: Split, counts: dict[str, int]) -> dict[str, Split]:
    """Consecutive splits with the given numbers of images."""
    splits, start = {}, 0
    for name, count in counts.items():
        splits[name] = everything[start : start + count]
        start += count
    return splits


# Layouts


def are_splits(files: Iterable[File]) -> bool:
    """Whether the top-level folders are splits: ``train`` alone, or ``train`` and one of the others.

    A class may also be called train, so a folder ``train`` among other class folders is not a split.

    Raises:
        UserError: all folders are splits, but ``train`` is missing.
    """
    tops = {file.path.partition("/")[0].lower() for file in files if "/" in file.path}
    if tops and tops <= SPLITS.keys() - {"train"}:
        found = " and ".join(f"{top}/" for top in sorted(tops))
        raise UserError(
            f"data.root holds {found} without train/: put the training images into train/, or give these folders other "
            "names if they are classes."
        )
    return "train" in tops and (len(tops) == 1 or len(tops & SPLITS.keys()) > 1)


def divide(files: list[File], validation_share: float, test_share: float, named: bool) -> dict[str, list[File]]:
    """The files of each split; a split without a folder is taken from the end of the other splits' files.

    Splits are assigned by position in ``files``. Without named splits, train, valid and test are consecutive there
    for any shares, so that one cache serves all shares.
    """
    parts: dict[str, list[File]] = {"train": [], "valid": [], "test": []}
    for file in files:
        split = SPLITS.get(file.path.partition("/")[0].lower()) if named else "train"
        if split and not (named and "/" not in file.path):
            parts[split].append(file)
    if outside := len(files) - sum(map(len, parts.values())):
        say("images outside of the folders train, valid and test, left out: %s", f"{outside:,}")
    total = len(parts["train"])
    for split, share in (("test", test_share), ("valid", validation_share)):
        if not parts[split]:
            end = len(parts["train"]) - round(share * total)
            parts["train"], parts[split] = parts["train"][:end], parts["train"][end:]
    return parts


def class_of(file: File, named: bool) -> str:
    """The subfolder of the file, below the folder of its split; empty for a file outside any subfolder."""
    folders = file.path.split("/")[int(named) : -1]
    return folders[0] if folders else ""


def class_names(files: Iterable[File], named: bool) -> list[str]:
    """The sorted names of the subfolders; empty if there is only one."""
    names = sorted({class_of(file, named) for file in files} - {""})
    return names if len(names) > 1 else []
