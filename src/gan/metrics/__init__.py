"""Numbers that say how good samples are: pure functions of arrays of images."""

from gan.metrics.parzen import Parzen

__all__ = ["Parzen"]
