"""The optimizer settings of a player. The method defines which weights the player trains."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gan.optim.schedules import Constant, Schedule


@dataclass(frozen=True)
class Player:
    """One optimizer with its schedule, momentum, gradient clipping and constraint.

    Attributes:
        optimizer: maps parameters to an optimizer.
        schedule: maps (updates done, updates of the whole run) to the factor on the initial learning rate.
        momentum: maps the same two numbers to the optimizer's momentum; None leaves the momentum constant.
        clip: the largest norm of the player's gradient; 0 for no clipping.
        constraint: changes each weight in place after each update; None for no constraint.
    """

    optimizer: Callable[..., Optimizer]
    schedule: Schedule = field(default_factory=Constant)
    momentum: Schedule | None = None
    clip: float = 0.0
    constraint: Callable[[Tensor], object] | None = None

    def configure(self, parameters: list[Parameter], total_updates: int) -> tuple[Optimizer, LambdaLR]:
        """The optimizer of these parameters and its learning-rate schedule, for a run of ``total_updates``."""
        optimizer = self.optimizer(parameters)
        return optimizer, LambdaLR(optimizer, lambda update: self.schedule(update, total_updates))

    def set_momentum(self, schedule: LambdaLR, total_updates: int) -> None:
        """Sets the momentum of the next update if it has a schedule."""
        if self.momentum is not None:
            value = self.momentum(schedule.last_epoch, total_updates)
            for group in schedule.optimizer.param_groups:
                group["momentum"] = value
