"""The time limit of a command: ``trainer.max_time``."""

from datetime import timedelta
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from gan.core.errors import UserError

AGREE_EVERY = 10  # with several processes: batches between two common decisions


class TimeLimit(Timer):
    """Ends the training after some time, between two batches. Each command has the whole time.

    Lightning's own Timer also counts the time before a resume: in a chain of jobs with a limit, the second one would
    stop at once.

    Args:
        duration: ``DD:HH:MM:SS``, or keywords of :class:`datetime.timedelta`; positive.
    """

    def __init__(self, duration: str | timedelta | dict[str, int]) -> None:
        try:
            super().__init__(duration, verbose=False)
        except (MisconfigurationException, AttributeError, TypeError) as error:
            raise _refused(duration) from error
        if not self.time_remaining():
            raise _refused(duration)

    @property
    def is_reached(self) -> bool:
        """Whether the time is over."""
        return (self.time_remaining() or 0) <= 0

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        if trainer.world_size == 1 or trainer.lightning_module.iteration % AGREE_EVERY == 0:
            super().on_train_batch_end(trainer, *args, **kwargs)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Forgets the time of earlier commands."""


def _refused(duration: object) -> UserError:
    return UserError(f"trainer.max_time must be a positive time DD:HH:MM:SS, such as 00:12:00:00, got {duration}.")
