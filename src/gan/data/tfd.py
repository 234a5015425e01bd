"""The Toronto Face Database, or any folder of face images split into folds in the same way."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan.core.checks import check_integer
from gan.core.errors import UserError, one_line
from gan.data.base import ImageData, Split
from gan.data.cache import decoded
from gan.data.folder import check_corrupt, check_root, images_below, images_of

FOLDS = 5
# The entries of the (N, 5) table: the use of an image in a fold.
UNLABELLED, TRAIN, VALID, TEST = range(4)
TRAINED_ON = {"unlabelled": [UNLABELLED], "labelled": [TRAIN], "both": [UNLABELLED, TRAIN]}
EXPRESSIONS = 7


class TFD(ImageData):
    """Gray faces in five folds (Susskind, Anderson, Hinton 2010), most of them without a label.

    The published set is a MATLAB file, available from its authors on request. A folder of face images can replace
    it: half of the images count as unlabeled, and the rest is divided into five parts. Fold f uses part f for the
    test, part f + 1 for validation and the others for training. A hash of its path assigns each image, the same for
    every seed.

    Args:
        root: ``TFD_48x48.mat`` or ``TFD_96x96.mat``, a folder that holds them, or a folder of images.
        fold: 0 to 4, the fold of the splits ``valid`` and ``test``.
        train_on: ``unlabelled`` images (as the authors of the paper did), the fold's ``labelled`` ones, or ``both``.
        skip_corrupt: in a folder of images, whether to skip files that cannot be decoded.
        cache_dir: folder of the decoded images; None for the user's cache directory.
        **common: see :class:`Source`; the classes of a MATLAB file are 7 expressions.
    """

    def __init__(
        self,
        root: str | None,
        fold: int = 0,
        train_on: str = "unlabelled",
        skip_corrupt: bool = False,
        cache_dir: str | None = None,
        **common,
    ) -> None:
        super().__init__(**common)
        check_integer(f"[0, {FOLDS})", fold=fold)
        if train_on not in TRAINED_ON:
            raise ValueError(f"train_on must be one of {', '.join(TRAINED_ON)}, got {train_on}")
        if self.channels not in (1, 3):
            raise ValueError(f"channels must be 1 (grey) or 3 (colour), got {self.channels}")
        self.root = None if root is None else Path(root).expanduser()
        self.fold, self.train_on, self.skip_corrupt, self.cache_dir = fold, train_on, skip_corrupt, cache_dir
        self.everything: Split | None = None
        self.table = torch.empty(0, FOLDS, dtype=torch.int64)  # (N, 5)

    def prepare_data(self) -> None:
        if self.root is None or not self.root.is_file():
            check_root(self.root)

    def load(self) -> dict[str, Split]:
        file = matlab_file(self.root, self.image_size)
        everything, self.table = read_matlab(file) if file else self._read_folder()
        if self.classes not in (0, EXPRESSIONS if file else 0):
            raise UserError(
                f"data.classes={self.classes}, but "
                + (f"{file} has {EXPRESSIONS}." if file else f"the images in {self.root} count as unlabelled; give 0.")
            )
        self.everything = self._fit(everything)
        return {
            "train": self._part(TRAINED_ON[self.train_on], self.fold),
            **self.folds()[self.fold if self.train_on == "unlabelled" else 0],
        }

    def folds(self) -> list[dict[str, Split]]:
        """The ``valid`` and ``test`` images of all five folds, or of ``fold`` alone if training uses labeled images.

        In that case the other folds' validation and test images include training images.
        """
        folds = range(FOLDS) if self.train_on == "unlabelled" else [self.fold]
        return [{"valid": self._part([VALID], fold), "test": self._part([TEST], fold)} for fold in folds]

    def _part(self, uses: list[int], fold: int) -> Split:
        return self.everything[torch.isin(self.table[:, fold], torch.tensor(uses))]

    def _read_folder(self) -> tuple[Split, Tensor]:
        pixels = decoded(self.root, images_below(self.root), self.image_size, self.channels, self.cache_dir)
        check_corrupt(self.root, pixels, self.skip_corrupt)
        images = images_of(pixels, streams=False)
        return Split(images, torch.full((len(images),), -1)), table_of_parts(len(images))


def table_of_parts(count: int) -> Tensor:
    """The use of each of ``count`` images in each fold, (count, 5): half unlabeled, the rest in five parts."""
    labelled = count - count // 2
    part = torch.arange(labelled) * FOLDS // labelled  # (labelled,) in 0..4
    table = torch.full((count, FOLDS), UNLABELLED)
    for fold in range(FOLDS):
        uses = torch.full((FOLDS,), TRAIN)
        uses[fold], uses[(fold + 1) % FOLDS] = TEST, VALID
        table[count // 2 :, fold] = uses[part]
    return table


def matlab_file(root: Path, image_size: int) -> Path | None:
    """The MATLAB file at or in ``root`` with the nearest resolution; None for a folder of images."""
    if root.is_file():
        return root
    names = ["TFD_48x48.mat", "TFD_96x96.mat"]
    found = [root / name for name in (names if image_size <= 48 else names[::-1]) if (root / name).is_file()]
    return found[0] if found else None


def read_matlab(path: Path) -> tuple[Split, Tensor]:
    """Images (N, 1, H, W), expressions 0 to 6 or -1, and the table of folds (N, 5).

    scipy keeps MATLAB's order of indices: images[i, row, column] is the i-th image, upright.

    Raises:
        UserError: the file is not a MATLAB file of a version before 7.3, or not a file of this database.
    """
    from scipy.io import loadmat

    names = ("images", "folds", "labs_ex")
    try:
        content = loadmat(path, variable_names=names)
    except NotImplementedError as error:
        raise UserError(
            f"{path} is a MATLAB 7.3 (HDF5) file; load it in MATLAB and save it with save('TFD_48x48.mat', '-v7')."
        ) from error
    except Exception as error:  # scipy's parser can raise any exception
        raise UserError(f"data.root={path} is not a MATLAB file that can be read ({one_line(error)}).") from error
    if missing := [name for name in names if name not in content]:
        raise UserError(f"{path} has no '{missing[0]}'; expected are images, folds and labs_ex, as in TFD_48x48.mat.")
    images, folds, labels = (content[name] for name in names)
    _check_arrays(path, images, folds, labels)
    table = torch.from_numpy(folds.astype(np.int64))
    expressions = torch.from_numpy(labels.astype(np.int64)).flatten()
    pixels = torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1)
    return Split(pixels, torch.where(expressions > 0, expressions - 1, -1)), table


def _check_arrays(path: Path, images: np.ndarray, folds: np.ndarray, labels: np.ndarray) -> None:
    """Raises UserError if the arrays do not have the shapes and values of the database's arrays."""
    count = len(images)
    wrong = [
        (
            images.ndim != 3 or images.shape[1:] not in ((48, 48), (96, 96)) or images.dtype != np.uint8,
            f"images must be uint8 N×48×48 or N×96×96, got {images.dtype} {_shape(images)}",
        ),
        (folds.shape != (count, FOLDS), f"folds must be {count}×{FOLDS}, got {_shape(folds)}"),
        (labels.size != count, f"labs_ex must be {count}×1, got {_shape(labels)}"),
        (not np.isin(folds, range(4)).all(), "folds must hold 0 (unlabelled), 1 (train), 2 (valid) and 3 (test) only"),
        (not np.isin(labels, range(-1, EXPRESSIONS + 1)).all(), f"labs_ex must hold -1 and 1 to {EXPRESSIONS} only"),
    ]
    for is_wrong, what in wrong:
        if is_wrong:
            raise UserError(f"{path}: {what}.")


def _shape(array: np.ndarray) -> str:
    return "×".join(map(str, array.shape))
