"""Metrics of sample quality: pure functions of matrices of features, class probabilities or pixels.

May import: data, core.
"""

from gan.metrics.birthday import Birthday
from gan.metrics.classes import ClassHistogram, Modes
from gan.metrics.frechet import Frechet
from gan.metrics.inception_score import InceptionScore
from gan.metrics.kernel import Kernel
from gan.metrics.labels import ClassAccuracy, ClassFrechet, ClassifierError, ClusterError, MatchedError
from gan.metrics.manifold import DensityCoverage, PrecisionRecall
from gan.metrics.memorization import Memorization
from gan.metrics.parzen import Parzen
from gan.metrics.representation import NearestNeighbour, Reconstruction
from gan.metrics.vendi import Vendi

__all__ = [
    "Birthday",
    "ClassAccuracy",
    "ClassFrechet",
    "ClassHistogram",
    "ClassifierError",
    "ClusterError",
    "DensityCoverage",
    "Frechet",
    "InceptionScore",
    "Kernel",
    "MatchedError",
    "Memorization",
    "Modes",
    "NearestNeighbour",
    "Parzen",
    "PrecisionRecall",
    "Reconstruction",
    "Vendi",
]
