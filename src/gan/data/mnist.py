"""MNIST and two drop-in sets of the same format, from torchvision; the files are checked before they are used."""

import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.data.base import ImageData, Split

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
# MD5 of the four uncompressed files of MNIST.
CHECKSUMS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
IN_TRAINING_FILE = 60_000
IN_TEST_FILE = 10_000
SIDE, CLASSES = 28, 10


class MNIST(ImageData):
    """60,000 + 10,000 gray digits of 28×28 pixels (LeCun, Cortes, Burges).

    As in the paper, the first 50,000 are for training and the last 10,000 of the training file for validation. The
    test images are those of the test file.

    Args:
        root: folder that holds ``MNIST/raw``; missing files are downloaded into it.
        validation_size: number of training images, from the end, used for validation; 0 trains on all 60,000.
        **common: see :class:`ImageData`.

    Attributes:
        published: torchvision's class, which is also the name of the folder in ``root``.
    """

    published: ClassVar[str] = "MNIST"

    def __init__(self, root: str, validation_size: int = 10_000, **common) -> None:
        super().__init__(**common)
        check_integer(f"[0, {IN_TRAINING_FILE})", validation_size=validation_size)
        self.root, self.validation_size = Path(root).expanduser(), validation_size

    def prepare_data(self) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"data.root={self.root} is a file; give the folder that holds {self.published}/raw.")
        if self.is_loaded:  # Lightning calls this twice
            return
        self.check_files()  # before torchvision reads them
        if all((self.raw / name).exists() for name in FILES):
            return
        try:
            self._open(train=True, download=True)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            raise UserError(f"data.root={self.root}: {error.strerror}; choose a folder you can write to.") from error
        except (RuntimeError, OSError, EOFError) as error:
            raise UserError(
                f"{self.published} is not in data.root={self.root} and could not be downloaded (no connection?). Give "
                f"a folder that holds {self.published}/raw with data.root=FOLDER, or train on data=digits, which needs "
                "no network."
            ) from error

    def load(self) -> dict[str, Split]:
        self.check_files()
        train, test = (self._split(part) for part in (True, False))
        cut = IN_TRAINING_FILE - self.validation_size
        return {"train": train[:cut], "valid": train[cut:], "test": test}

    @property
    def raw(self) -> Path:
        """The folder of the four files."""
        return self.root / self.published / "raw"

    @property
    def checksums(self) -> Mapping[str, str]:
        """MD5 of the four files."""
        return CHECKSUMS

    def check_files(self) -> None:
        """Raises UserError for a file that is truncated or differs from the published one; missing ones pass."""
        for name in FILES:
            if (path := self.raw / name).exists():
                check_format(path)
                self._check_contents(path)

    def _check_contents(self, path: Path) -> None:
        expected = self.checksums.get(path.name)
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
        if expected not in (None, found):
            raise UserError(
                f"{path} is not the file of the published {self.published} (MD5 {found}, expected {expected}). If it "
                "is damaged, delete it to have it downloaded again; for other images of this kind: "
                f"data=fashion_mnist ({self.root}/FashionMNIST/raw) or data=kmnist ({self.root}/KMNIST/raw)."
            )

    def _open(self, **arguments: bool) -> Any:
        """torchvision's data set."""
        from torchvision import datasets

        return getattr(datasets, self.published)(self.root, **arguments)

    def _split(self, train: bool) -> Split:
        data = self._open(train=train)
        labels = data.targets.to(torch.int64)
        if int(labels.max()) >= CLASSES:
            raise UserError(f"{self.raw} is corrupt: it holds the label {int(labels.max())}, expected 0 to 9.")
        return Split(data.data.unsqueeze(1), labels)  # (N, 1, 28, 28)


class FashionMNIST(MNIST):
    """60,000 + 10,000 gray articles of clothing in ten classes, in MNIST's format (Xiao, Rasul, Vollgraf 2017).

    Args:
        **common: see :class:`MNIST`; the files are in ``FashionMNIST/raw``.
    """

    published = "FashionMNIST"

    @property
    def checksums(self) -> Mapping[str, str]:
        """None: torchvision checks the compressed files when it downloads them."""
        return {}


class KMNIST(FashionMNIST):
    """60,000 + 10,000 gray Japanese characters in ten classes, in MNIST's format (Clanuwat et al. 2018).

    Args:
        **common: see :class:`MNIST`; the files are in ``KMNIST/raw``.
    """

    published = "KMNIST"


def check_format(path: Path) -> None:
    """Raises UserError unless a file has the header and the size of the file of this name in MNIST's format."""
    count = IN_TRAINING_FILE if path.name.startswith("train") else IN_TEST_FILE
    has_images = "images" in path.name
    header = struct.pack(">4i", 2051, count, SIDE, SIDE) if has_images else struct.pack(">2i", 2049, count)
    size = len(header) + count * (SIDE * SIDE if has_images else 1)
    with path.open("rb") as file:
        starts_well = file.read(len(header)) == header
    if not starts_well or path.stat().st_size != size:
        what = "" if starts_well else "; its first bytes are not those of MNIST's format"
        raise UserError(
            f"{path} is corrupt or cut short ({path.stat().st_size:,} bytes, expected {size:,}{what}). Delete it to "
            "have it downloaded again."
        )
