"""A generator with the weights of another run."""

from typing import ClassVar

from torch import Tensor

from gan.networks import base


class Trained(base.Generator):
    """Any generator, which starts from a trained one of the same kind.

    Args:
        generator: the network, as in the other run.
        start_from: the other run's checkpoint; None for random weights.
        ema: whether to take the EMA of its weights, if it has one.
    """

    start_key: ClassVar[str] = "conditioning.generator.start_from"

    def __init__(self, generator: base.Generator, start_from: str | None, ema: bool = True) -> None:
        super().__init__()
        self.network, self.classes = generator, generator.classes
        self.start_from, self.start_from_ema = start_from, ema

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.network(z, labels)

    def load_trained(self, weights: dict[str, Tensor]) -> None:
        self.network.load_state_dict(weights)
