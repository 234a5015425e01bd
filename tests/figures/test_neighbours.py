"""The last column holds the nearest training image of the sample to its left, in a yellow frame."""

import torch

from gan.core.images import scale
from gan.figures import Neighbours
from gan.figures.drawing import CAPTION
from tests.figures.reading import read_picture, tile

YELLOW = torch.tensor([255, 204, 0]) / 255


def test_last_column_is_the_nearest_training_image(digits, tmp_path):
    (path,) = Neighbours("raw", rows=4, columns=3, seed=2)(digits, tmp_path)
    picture = read_picture(path)
    samples = digits.sampler.sample("raw", digits.sampler.latents(12, 2)[0]).unflatten(0, (4, 3))
    training = scale(digits.load_images().splits["train"].images)
    for row in range(4):
        for column in range(3):
            assert torch.allclose(tile(picture, row, column)[0], samples[row, column, 0], atol=0.6 / 255)
        distances = (training - samples[row, -1]).square().sum((1, 2, 3))  # brute force
        assert torch.allclose(tile(picture, row, 3)[0], training[distances.argmin(), 0], atol=0.6 / 255)


def test_only_the_last_column_is_framed(digits, tmp_path):
    picture = read_picture(Neighbours("raw", rows=2, columns=3)(digits, tmp_path)[0])
    yellow = (picture - YELLOW[:, None, None]).abs().amax(0) < 1e-6
    inside = torch.zeros(102, 202, dtype=torch.bool)
    for row in range(2):
        inside[2 + row * 50 : 50 + row * 50, 152:200] = True
    assert picture.shape == (3, 102 + CAPTION, 202)
    picture, yellow = picture[:, :102], yellow[:102]
    assert yellow[:, 150:].logical_xor(inside[:, 150:]).all()  # around its images and nowhere in them
    assert not yellow[:, :150].any()
