"""What every generator and every discriminator is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

from torch import Tensor, nn

from gan.networks.layers import Constrained


class Network(nn.Module, ABC):
    """A player."""

    def constrain(self) -> None:
        """Called after each update: brings the weights of constrained layers back to where they may be."""
        for layer in self._constrained:
            layer.constrain()

    @cached_property
    def _constrained(self) -> list[Constrained]:
        return [layer for layer in self.modules() if isinstance(layer, Constrained) and layer.max_norm is not None]


class Generator(Network):
    """Noise (B, latent_dim) to images, float32 (B, C, H, W) in [0, 1]."""

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor: ...

    def adapt_to_data(self, mean_image: Tensor) -> None:
        """Called once before training with the mean training image, (C, H, W) in [0, 1].

        Most generators start from random weights alone and leave this as it is.
        """


class Discriminator(Network):
    """Images, float32 (B, C, H, W) in [0, 1], to logits (B,): large for what it takes to be real."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor: ...


def check_widths(name: str, widths: Sequence[int]) -> list[int]:
    """The layer widths as a list; raises ValueError unless there is at least one and all are positive."""
    widths = [widths] if isinstance(widths, int) else list(widths)
    if not widths or not all(isinstance(w, int) and w > 0 for w in widths):
        raise ValueError(f"{name} must be a list of positive widths such as [256, 512], got {widths}")
    return widths
