"""Views of images from several parts."""

import torch

from gan.metrics.features.base import View


def test_join_concatenates_views():
    rows, log_probabilities, good = torch.rand(5, 3), torch.rand(5, 2).log(), torch.rand(5) < 0.5
    parts = [View(rows[p], log_probabilities[p], good[p]) for p in (slice(0, 2), slice(2, 5))]
    joined = View.join(parts)
    assert torch.equal(joined.features, rows)
    assert torch.equal(joined.log_probabilities, log_probabilities)
    assert torch.equal(joined.good, good)


def test_join_of_views_without_classes_has_none():
    joined = View.join([View(torch.zeros(2, 3)), View(torch.ones(1, 3))])
    assert joined.features.tolist() == [[0] * 3, [0] * 3, [1] * 3]
    assert (joined.log_probabilities, joined.good) == (None, None)
