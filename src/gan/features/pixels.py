"""No net at all: the images themselves."""

from torch import Tensor

from gan.features.base import FeatureNet, View


class Pixels(FeatureNet):
    """A feature for each pixel; knows no classes."""

    name = "pixels"

    def forward(self, images: Tensor) -> View:
        return View(images.flatten(1))
