"""Where samples lie in the plane beside real points, over time."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gan.core.errors import UserError
from gan.data.base import Source
from gan.training.sample_grids import SampleGrids

SIDE = 400  # pixels of a picture
MARGIN = 0.15  # of the real points' extent, to each side
INK = 0.35  # of one dot: the share of the paper that it hides
REAL, DRAWN = (0.55, 0.60, 0.65), (0.85, 0.20, 0.10)  # grey below, red above


class Plane(SampleGrids):
    """Every n-th minibatch, at the start and at the end draws samples from fixed noise over real points.

    Files, curves' axis and generators as for :class:`gan.training.SampleGrids`.

    Args:
        folder: where the PNG files go.
        every_n_batches: minibatches between two pictures, at least 1.
        count: samples in a picture, at least 1, and real points, at most as many as the data has set aside.
        epochs: epochs after which to draw one besides.
    """

    def __init__(self, folder: str, every_n_batches: int = 500, count: int = 2500, epochs: Sequence[int] = ()) -> None:
        super().__init__(folder, every_n_batches, count, epochs=epochs)

    def check(self, data: Source) -> None:
        check_points(data)

    def picture(self, images: Tensor, data: Source) -> Tensor:
        return plane(data.splits["train"].images[: self.count], images)


def check_points(data: Source) -> None:
    """Raises UserError unless the data is points of the plane."""
    if (data.channels, data.image_size) != (2, 1):
        raise UserError(
            "a picture of the plane needs points (data=ring, data=grid); for images take callbacks=default and "
            "figures=grid."
        )


def plane(real: Tensor, samples: Tensor) -> Tensor:
    """Real points in grey and samples in red over them, a picture (3, 400, 400) in [0, 1].

    Points are (N, 2, 1, 1) as everywhere. The window is a square about the real points, whatever the samples;
    samples outside of it are not shown. The first coordinate goes to the right, the second upwards.
    """
    points = real.flatten(1)
    low, high = points.amin(0), points.amax(0)
    half = (0.5 + MARGIN) * float((high - low).max())
    picture = torch.ones(3, SIDE, SIDE)
    for some, colour in ((points, REAL), (samples.flatten(1), DRAWN)):
        share = ink(some, (low + high) / 2, half)
        picture = (1 - share) * picture + share * torch.tensor(colour).view(3, 1, 1)
    return picture


def ink(points: Tensor, middle: Tensor, half: float) -> Tensor:
    """How much of each pixel the dots of 3×3 pixels of points (N, 2) hide, (SIDE, SIDE) in [0, 1).

    Args:
        points: those outside of the window, or not finite, leave no dot.
        middle: of the window, (2,).
        half: of the window's side.
    """
    place = (points - middle) / half  # the window is [-1, 1)²
    place = place[(place.abs() < 1).all(1)]  # false where it is not a number
    column, row = ((1 + place * torch.tensor([1, -1])) / 2 * SIDE).long().clamp(0, SIDE - 1).unbind(1)
    counts = torch.bincount(row * SIDE + column, minlength=SIDE**2).view(1, SIDE, SIDE).float()
    dots = F.avg_pool2d(counts, 3, 1, 1, divisor_override=1)[0]  # that lie over one another
    return 1 - (1 - INK) ** dots
