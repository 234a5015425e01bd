"""Images as numbers."""

import torch
from torch import Tensor


def scale(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """uint8 0..255 to numbers of ``dtype`` in [0, 1]; what is floating point already is returned as it is."""
    return images if images.is_floating_point() else images.to(dtype).div_(255)
