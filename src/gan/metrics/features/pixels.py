"""No net at all: the images themselves."""

from torch import Tensor

from gan.metrics.features.base import FeatureExtractor, View


class Pixels(FeatureExtractor):
    """A feature for each pixel; knows no classes."""

    name = "pixels"

    def forward(self, images: Tensor) -> View:
        return View(images.flatten(1))
