"""What images look like to a metric: nets that turn them into features and class probabilities."""

from gan.features.base import FeatureNet, View
from gan.features.classifier import Shipped, Trained
from gan.features.inception import Inception
from gan.features.mixture import Components
from gan.features.pixels import Pixels
from gan.features.stacked import Stacked

__all__ = ["Components", "FeatureNet", "Inception", "Pixels", "Shipped", "Stacked", "Trained", "View"]
