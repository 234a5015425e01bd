"""Callbacks: curves, sample grids, checkpoints, warnings. They do not affect training.

May import: figures, search, evaluation, methods and below.
"""

from gan.training.checkpoint import Checkpoint
from gan.training.diagnosis import Diagnosis
from gan.training.guard import Guard
from gan.training.monitor import Monitor
from gan.training.plane import Plane
from gan.training.progress import Progress
from gan.training.sample_grids import SampleGrids
from gan.training.scores import Scores
from gan.training.snapshots import Snapshots

__all__ = [
    "Checkpoint",
    "Diagnosis",
    "Guard",
    "Monitor",
    "Plane",
    "Progress",
    "SampleGrids",
    "Scores",
    "Snapshots",
]
