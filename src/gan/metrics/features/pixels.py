"""Pixels as features, without a network."""

from torch import Tensor

from gan.metrics.features.base import FeatureExtractor, View


class Pixels(FeatureExtractor):
    """One feature per pixel; there are no classes."""

    name = "pixels"

    def forward(self, images: Tensor) -> View:
        return View(images.flatten(1))
