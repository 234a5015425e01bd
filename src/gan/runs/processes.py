"""Distributed training: several processes, one per device."""

from pytorch_lightning.strategies import DDPStrategy

#: names of Lightning's strategies that :class:`Processes` replaces
DDP = ("ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")


class Processes(DDPStrategy):
    """DDP without torch's wrapper: the method itself averages each player's gradient over processes.

    The wrapper expects one backward pass through all weights in each step. Here each player has its own backward pass,
    and some terms differentiate twice. All processes start from the same weights, a function of the seed.
    """

    def configure_ddp(self) -> None:
        """Does not wrap the module."""
