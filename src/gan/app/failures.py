"""What may fail for reasons outside the program, reduced to one line. This module does not import torch."""

import functools
from collections.abc import Callable
from typing import TypeVar

from omegaconf import DictConfig

from gan.core.errors import UserError, one_line
from gan.core.memory import lack_of_memory

Result = TypeVar("Result")


def in_one_line(task: Callable[[DictConfig], Result]) -> Callable[[DictConfig], Result]:
    """A task that reports a lack of memory, a full disk and files that cannot be used as a UserError."""

    @functools.wraps(task)
    def run(cfg: DictConfig) -> Result:
        try:
            return task(cfg)
        except BrokenPipeError:
            raise
        except OSError as error:
            place = error.filename or cfg.get("output_dir") or cfg.get("run")
            raise UserError(f"{place}: {error.strerror or one_line(error)}.") from error
        except UserError:
            raise
        except Exception as error:
            if (lacking := lack_of_memory(error, cfg)) is None:
                raise
            raise UserError(lacking) from error

    return run
