"""Several processes of one training, one per device."""

from pytorch_lightning.strategies import DDPStrategy

#: names of Lightning's strategies that :class:`Processes` takes the place of
DDP = ("ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")


class Processes(DDPStrategy):
    """DDP without torch's wrapper: a method averages each player's gradient over the processes itself.

    The wrapper expects one backward pass through all weights in each step. Here each player has its own, and some terms
    differentiate twice. All processes start from the same weights, which are a function of the seed.
    """

    def configure_ddp(self) -> None:
        """Leaves the module without torch's wrapper."""
