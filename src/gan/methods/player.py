"""How a player is optimized. Whose weights it moves is the method's affair."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gan.optim.schedules import Constant, Schedule


@dataclass(frozen=True)
class Player:
    """One optimizer and what surrounds it.

    Attributes:
        optimizer: parameters to optimizer.
        schedule: the factor on the initial learning rate, by (updates done, updates of the whole run).
        momentum: the optimizer's momentum by the same two numbers; None leaves it as it is.
        clip: the largest norm of the player's gradient; 0 for no clipping.
        constraint: changes each weight in place after each update; None for no constraint.
    """

    optimizer: Callable[..., Optimizer]
    schedule: Schedule = field(default_factory=Constant)
    momentum: Schedule | None = None
    clip: float = 0.0
    constraint: Callable[[Tensor], object] | None = None

    def configure(self, parameters: list[Parameter], total_updates: int) -> tuple[Optimizer, LambdaLR]:
        """The optimizer of these weights and its learning-rate schedule, for a run of so many updates."""
        optimizer = self.optimizer(parameters)
        return optimizer, LambdaLR(optimizer, lambda update: self.schedule(update, total_updates))

    def set_momentum(self, schedule: LambdaLR, total_updates: int) -> None:
        """Sets the momentum of the next update where it has a schedule."""
        if self.momentum is not None:
            value = self.momentum(schedule.last_epoch, total_updates)
            for group in schedule.optimizer.param_groups:
                group["momentum"] = value
