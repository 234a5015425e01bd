"""Where samples lie in the plane beside real points, over time."""

from collections.abc import Sequence

from torch import Tensor

from gan.data.base import Source
from gan.figures.drawing import check_points, plane
from gan.figures.field import see_field
from gan.methods.base import Method
from gan.training.sample_grids import SampleGrids

ARROWS = 150  # samples with an arrow


class Plane(SampleGrids):
    """Every n-th batch, at the start and at the end plots samples of fixed latents over real points.

    Behind them D as a heat map (red: generated, blue: real), and arrows that show where G's loss would move samples.

    Files, curves' axis and generators as for :class:`gan.training.SampleGrids`.

    Args:
        folder: where the PNG files go.
        every_n_batches: batches between two pictures, at least 1.
        count: samples in a picture, at least 1, and real points, at most as many as the data has set aside.
        epochs: epochs after which to draw one besides.
    """

    def __init__(self, folder: str, every_n_batches: int = 500, count: int = 2500, epochs: Sequence[int] = ()) -> None:
        super().__init__(folder, every_n_batches, count, epochs=epochs)

    def check(self, data: Source) -> None:
        check_points(data)

    def picture(self, images: Tensor, data: Source, method: Method) -> Tensor:
        real = data.splits["train"].images[: self.count]
        heat, arrows = see_field(method, real, images[:ARROWS])
        return plane(real, images, heat, arrows)
