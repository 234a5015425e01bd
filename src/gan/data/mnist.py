"""MNIST from torchvision, with checksums verified before the files are used."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import torch

from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.data.base import ImageData, Split

# MD5 of the four uncompressed files.
CHECKSUMS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
IN_TRAINING_FILE = 60_000


class MNIST(ImageData):
    """60,000 + 10,000 gray digits of 28×28 pixels (LeCun, Cortes, Burges).

    As in the paper, the first 50,000 are for training and the last 10,000 of the training file for validation. The
    test images are those of the test file.

    Args:
        root: folder that holds ``MNIST/raw``; missing files are downloaded into it.
        validation_size: number of training images, from the end, used for validation; 0 trains on all 60,000.
        **common: see :class:`ImageData`.
    """

    def __init__(self, root: str, validation_size: int = 10_000, **common) -> None:
        super().__init__(**common)
        check_integer(f"[0, {IN_TRAINING_FILE})", validation_size=validation_size)
        self.root, self.validation_size = Path(root).expanduser(), validation_size

    def prepare_data(self) -> None:
        from torchvision import datasets

        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"data.root={self.root} is a file; give the folder that holds MNIST/raw.")
        present = [name for name in CHECKSUMS if (self.raw / name).exists()]
        if len(present) == len(CHECKSUMS):
            return  # `load` checks the files before torchvision, which trusts them, reads them
        self.check_files(present)
        try:
            datasets.MNIST(self.root, download=True)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            raise UserError(f"data.root={self.root}: {error.strerror}; choose a folder you can write to.") from error
        except (RuntimeError, OSError, EOFError) as error:
            raise UserError(
                f"MNIST is not in data.root={self.root} and could not be downloaded (no connection?). Give a "
                "folder that holds MNIST/raw with data.root=FOLDER, or train on data=digits, which needs no network."
            ) from error

    def load(self) -> dict[str, Split]:
        from torchvision import datasets

        self.check_files()
        train, test = (datasets.MNIST(self.root, train=part) for part in (True, False))
        images, labels = train.data.unsqueeze(1), train.targets  # (60000, 1, 28, 28)
        cut = IN_TRAINING_FILE - self.validation_size
        return {
            "train": Split(images[:cut], labels[:cut]),
            "valid": Split(images[cut:], labels[cut:]),
            "test": Split(test.data.unsqueeze(1), test.targets.to(torch.int64)),
        }

    @property
    def raw(self) -> Path:
        """The folder of the four files."""
        return self.root / "MNIST" / "raw"

    def check_files(self, names: Iterable[str] = tuple(CHECKSUMS)) -> None:
        """Raises UserError for a file that is truncated or differs from the published one."""
        for name in names:
            path, checksum = self.raw / name, CHECKSUMS[name]
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            if found != checksum:
                raise UserError(
                    f"{path} is corrupt or cut short ({path.stat().st_size} bytes, MD5 {found}, expected "
                    f"{checksum}). Delete it to have it downloaded again."
                )
