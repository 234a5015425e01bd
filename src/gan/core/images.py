"""Conversion of pixel values."""

import torch
from torch import Tensor


def scale(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """uint8 0..255 to ``dtype`` in [0, 1]; floating-point images are returned unchanged."""
    return images if images.is_floating_point() else images.to(dtype).div_(255)
