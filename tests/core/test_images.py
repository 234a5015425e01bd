"""Conversion of uint8 images to the floats that networks get."""

import torch

from gan.core.images import scale


def test_scale_rounds_each_uint8_level_correctly():
    levels = torch.arange(256, dtype=torch.uint8)
    exact = (levels.double() / 255).float()
    assert scale(levels).dtype == torch.float32
    assert torch.equal(scale(levels), exact)
    assert torch.equal(scale(levels), levels.float() / 255)


def test_scale_returns_floating_point_images_unchanged():
    images = torch.rand(2, 1, 3, 3, dtype=torch.float64)
    assert scale(images) is images
