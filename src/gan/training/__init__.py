"""Callbacks and loggers: curves, sample grids, checkpoints, warnings. They do not affect training.

May import: figures, search, evaluation, methods and below.
"""

from gan.training.best import BestCheckpoint, EarlyStopping
from gan.training.checkpoint import Checkpoint
from gan.training.diagnosis import Diagnosis
from gan.training.guard import Guard
from gan.training.metrics_file import MetricsFile
from gan.training.monitor import Monitor
from gan.training.plane import Plane
from gan.training.progress import Progress
from gan.training.sample_grids import SampleGrids
from gan.training.scores import Scores
from gan.training.snapshots import Snapshots
from gan.training.trackers import TensorBoard

__all__ = [
    "BestCheckpoint",
    "Checkpoint",
    "Diagnosis",
    "EarlyStopping",
    "Guard",
    "MetricsFile",
    "Monitor",
    "Plane",
    "Progress",
    "SampleGrids",
    "Scores",
    "Snapshots",
    "TensorBoard",
]
