"""Images as numbers."""

import torch
from torch import Tensor


def scale(images: Tensor) -> Tensor:
    """uint8 0..255 to float32 in [0, 1]; what is floating point already is returned as it is."""
    return images if images.is_floating_point() else images.to(torch.float32).div_(255)
