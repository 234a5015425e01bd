"""Samples and real points in the plane, over the training."""

from collections.abc import Sequence

from torch import Tensor

from gan.data.base import Source
from gan.figures.drawing import check_points, plane
from gan.figures.field import see_field
from gan.methods.base import Method
from gan.training.sample_grids import SampleGrids

ARROWS = 150  # samples with an arrow


class Plane(SampleGrids):
    """Plots samples of fixed latents over real points, every n-th batch, at the start and at the end.

    The background is D as a heat map (red: generated, blue: real). Arrows show where G's loss would move samples.

    Files, x axis and generators are as for :class:`gan.training.SampleGrids`.

    Args:
        folder: the folder of the PNG files.
        every_n_batches: batches between two images, at least 1.
        count: number of samples, at least 1, and of real points, at most those of the training split.
        epochs: additional epochs after which to draw an image.
    """

    def __init__(self, folder: str, every_n_batches: int = 500, count: int = 2500, epochs: Sequence[int] = ()) -> None:
        super().__init__(folder, every_n_batches, count, epochs=epochs)

    def check(self, data: Source) -> None:
        check_points(data)

    def picture(self, images: Tensor, data: Source, method: Method) -> Tensor:
        real = data.splits["train"].images[: self.count]
        heat, arrows = see_field(method, real, images[:ARROWS])
        return plane(real, images, heat, arrows)
