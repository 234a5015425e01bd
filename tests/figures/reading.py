"""Functions that read figures back for the tests."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def read_picture(path) -> Tensor:
    """(3, H, W) in [0, 1]."""
    return torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).copy()).permute(2, 0, 1) / 255


def tile(picture: Tensor, row: int, column: int, size: int = 8, factor: int = 6, padding: int = 2) -> Tensor:
    """The image (3, size, size) in a cell of a grid that enlarges each pixel to ``factor`` × ``factor`` pixels."""
    step = size * factor + padding
    top, left = padding + row * step, padding + column * step
    return picture[:, top : top + size * factor : factor, left : left + size * factor : factor]


def frames(path) -> tuple[list[np.ndarray], list[int]]:
    """Frames (H, W, 3) of a GIF and how many milliseconds each is shown."""
    shown, times = [], []
    with Image.open(path) as film:
        for number in range(film.n_frames):
            film.seek(number)
            shown.append(np.asarray(film.convert("RGB")))
            times.append(film.info["duration"])
    return shown, times
