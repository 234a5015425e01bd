"""Where samples lie in the plane beside real points, over time."""

from collections.abc import Sequence

from torch import Tensor

from gan.data.base import Source
from gan.figures.drawing import check_points, plane
from gan.training.sample_grids import SampleGrids


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
