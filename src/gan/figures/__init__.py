"""Figures of a run: one small class each, which maps (run, folder) to files.

May import: runs, metrics and below.
"""

from gan.figures.classes import ClassGrid, ClassInterpolation
from gan.figures.completion import Completions
from gan.figures.curves import Curves
from gan.figures.grid import Grid
from gan.figures.interpolation import Interpolation
from gan.figures.neighbours import Neighbours
from gan.figures.one_dimension import OneDimension
from gan.figures.photos import Attributes, Photos
from gan.figures.plane import Plane
from gan.figures.progress import Progress
from gan.figures.reconstruction import ImageInterpolation, ImageTraversal, Reconstructions
from gan.figures.theory import Theory
from gan.figures.traversal import Traversal

__all__ = [
    "Attributes",
    "ClassGrid",
    "ClassInterpolation",
    "Completions",
    "Curves",
    "Grid",
    "ImageInterpolation",
    "ImageTraversal",
    "Interpolation",
    "Neighbours",
    "OneDimension",
    "Photos",
    "Plane",
    "Progress",
    "Reconstructions",
    "Theory",
    "Traversal",
]
