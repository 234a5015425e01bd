"""What watches the game and writes the run's folder; none of it changes a bit of the training."""

from gan.callbacks.checkpoint import Checkpoint
from gan.callbacks.diagnosis import Diagnosis
from gan.callbacks.guard import Guard
from gan.callbacks.monitor import Monitor
from gan.callbacks.pictures import Pictures
from gan.callbacks.plane import Plane
from gan.callbacks.portraits import Portraits
from gan.callbacks.progress import Progress
from gan.callbacks.scores import Scores

__all__ = [
    "Checkpoint",
    "Diagnosis",
    "Guard",
    "Monitor",
    "Pictures",
    "Plane",
    "Portraits",
    "Progress",
    "Scores",
]
