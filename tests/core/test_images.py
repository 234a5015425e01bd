"""uint8 images and the numbers that networks see."""

import torch

from gan.core.images import scale


def test_levels_become_the_nearest_numbers_in_the_unit_interval():
    levels = torch.arange(256, dtype=torch.uint8)
    exact = (levels.double() / 255).float()
    assert scale(levels).dtype == torch.float32
    assert torch.equal(scale(levels), exact)
    assert torch.equal(scale(levels), levels.float() / 255)


def test_what_is_floating_point_is_left_as_it_is():
    images = torch.rand(2, 1, 3, 3, dtype=torch.float64)
    assert scale(images) is images
