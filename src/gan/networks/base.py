"""What every generator and every discriminator is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn


class Generator(nn.Module, ABC):
    """Noise (B, latent_dim) to images, float32 (B, C, H, W) in [0, 1]."""

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor: ...

    def adapt_to_data(self, mean_image: Tensor) -> None:
        """Called once before training with the mean training image, (C, H, W) in [0, 1].

        Most generators start from random weights alone and leave this as it is.
        """


class Discriminator(nn.Module, ABC):
    """Images, float32 (B, C, H, W) in [0, 1], to logits (B,): large for what it takes to be real."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor: ...


def check_widths(name: str, widths: Sequence[int]) -> list[int]:
    """The layer widths as a list; raises ValueError unless there is at least one and all are positive."""
    widths = [widths] if isinstance(widths, int) else list(widths)
    if not widths or not all(isinstance(w, int) and w > 0 for w in widths):
        raise ValueError(f"{name} must be a list of positive widths such as [256, 512], got {widths}")
    return widths
