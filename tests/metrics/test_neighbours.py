"""Nearest neighbors against brute force, at the edges of the chunks and for equal distances."""

import pytest
import torch

from gan.metrics.neighbours import nearest


@pytest.mark.parametrize("chunk", [1, 7, 50, 100, 101, None])
def test_nearest_equals_brute_force(chunk):
    torch.manual_seed(0)
    queries, points = torch.rand(13, 3, 4, 4), torch.randint(0, 256, (100, 3, 4, 4), dtype=torch.uint8)
    distances, index = nearest(queries, points, chunk)
    brute = (queries.double().flatten(1)[:, None] - points.flatten(1).double()[None] / 255).norm(dim=2)
    assert torch.equal(index, brute.argmin(1))
    assert torch.allclose(distances, brute.amin(1), rtol=1e-12)


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, None])
def test_first_of_equally_near_points_is_returned(chunk):
    points = torch.tensor([[0.5, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    distances, index = nearest(torch.tensor([[0.0, 0.0], [0.5, 1.0], [0.25, 0.0]]), points, chunk)
    assert index.tolist() == [1, 3, 0]
    assert distances.tolist() == [0.0, 0.5, 0.25]


@pytest.mark.parametrize("chunk", [3, 64, None])
def test_first_of_duplicates_is_returned_despite_rounding(chunk):
    torch.manual_seed(1)
    images = torch.randint(0, 256, (20, 3072), dtype=torch.uint8)
    points = torch.cat([images, images.flip(0), images])  # 3 copies of each, in different chunks
    _, index = nearest(images.float() / 255 + 1e-3, points, chunk)
    assert index.tolist() == list(range(20))


def test_image_of_the_set_is_its_own_nearest_at_distance_zero():
    points = torch.randint(0, 256, (50, 1, 5, 5), dtype=torch.uint8)
    distances, index = nearest(points[[31, 4]], points, chunk=8)
    assert index.tolist() == [31, 4]
    assert distances.tolist() == [0, 0]


def test_tiny_differences_decide_on_the_nearest():
    """In float32 ‖a‖² + ‖b‖² - 2ab of white images is wrong by more than this difference."""
    white = torch.ones(1, 3072, dtype=torch.float64)
    points = torch.stack([white[0] - 3e-6, white[0] - 2e-6, white[0] + 2.5e-6])
    assert nearest(white, points)[1].tolist() == [1]


def test_mismatched_sizes_are_refused():
    with pytest.raises(ValueError, match="cannot compare queries"):
        nearest(torch.rand(2, 3), torch.rand(5, 4))
    with pytest.raises(ValueError, match="cannot compare"):
        nearest(torch.rand(2, 3), torch.rand(0, 3))
