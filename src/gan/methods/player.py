"""How a player is optimized. Whose weights it moves is the method's affair."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor
from torch.optim import Optimizer

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
