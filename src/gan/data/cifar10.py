"""CIFAR-10 from torchvision, which verifies the published checksums of its files before it unpickles them."""

from pathlib import Path
from typing import Any

import torch

from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.data.base import ImageData, Split

IN_TRAINING_FILES = 50_000
FOLDER, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"


class CIFAR10(ImageData):
    """50,000 + 10,000 color photographs of 32×32 pixels in ten classes (Krizhevsky 2009).

    The validation images are the last training images; the test images are those of the test file.

    Args:
        root: folder that holds ``cifar-10-batches-py`` or ``cifar-10-python.tar.gz``; the archive is
            downloaded into it if both are missing.
        validation_size: number of training images, from the end, used for validation; 0 trains on all 50,000.
        **common: see :class:`Source`.
    """

    def __init__(self, root: str, validation_size: int = 5_000, **common) -> None:
        super().__init__(**common)
        check_integer(f"[0, {IN_TRAINING_FILES})", validation_size=validation_size)
        self.root, self.validation_size = Path(root).expanduser(), validation_size

    def prepare_data(self) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"data.root={self.root} is a file; give the folder that holds {FOLDER}.")
        if not self.is_loaded:  # Lightning calls this twice
            self._open(train=False, download=True)

    def load(self) -> dict[str, Split]:
        train, test = (self._split(train) for train in (True, False))
        cut = IN_TRAINING_FILES - self.validation_size
        return {"train": train[:cut], "valid": train[cut:], "test": test}

    def _split(self, train: bool) -> Split:
        data = self._open(train=train)
        # torchvision stores (N, C, H, W) and transposes it to (N, H, W, C); transposing back copies nothing.
        return Split(torch.from_numpy(data.data.transpose(0, 3, 1, 2)), torch.tensor(data.targets))

    def _open(self, **arguments: bool) -> Any:
        """torchvision's data set; raises UserError if it cannot be opened."""
        from torchvision import datasets

        try:
            return datasets.CIFAR10(self.root, **arguments)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            raise UserError(f"data.root={self.root}: {error.strerror}; choose a folder you can write to.") from error
        except (RuntimeError, OSError, EOFError) as error:
            self._check_files()
            raise UserError(
                f"CIFAR-10 is not in data.root={self.root} and could not be downloaded (no connection?). Give a "
                f"folder that holds {FOLDER} or {ARCHIVE} with data.root=FOLDER, or train on data=digits, which "
                "needs no network."
            ) from error

    def _check_files(self) -> None:
        """Raises UserError for the first file that is missing or differs from the published one."""
        from torchvision import datasets
        from torchvision.datasets.utils import check_integrity

        published = datasets.CIFAR10
        meta = (published.meta["filename"], published.meta["md5"])
        files = {f"{FOLDER}/{name}": md5 for name, md5 in [*published.train_list, *published.test_list, meta]}
        found = {ARCHIVE: published.tgz_md5} if (self.root / ARCHIVE).exists() else {}
        found |= files if (self.root / FOLDER).exists() else {}
        for name, md5 in found.items():
            if not check_integrity(path := self.root / name, md5):
                what = f"corrupt or cut short (expected MD5 {md5})" if path.exists() else "missing"
                raise UserError(
                    f"{path} is {what}. Delete {path.parent if path.parent != self.root else path} to have "
                    "CIFAR-10 downloaded again."
                )
