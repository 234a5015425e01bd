"""Feature extractors: images to features and class probabilities.

May import: data, core.
"""

from gan.metrics.features.base import FeatureExtractor, View
from gan.metrics.features.classifier import Shipped, Trained
from gan.metrics.features.inception import Inception
from gan.metrics.features.mixture import Components
from gan.metrics.features.pixels import Pixels
from gan.metrics.features.stacked import Stacked

__all__ = ["Components", "FeatureExtractor", "Inception", "Pixels", "Shipped", "Stacked", "Trained", "View"]
