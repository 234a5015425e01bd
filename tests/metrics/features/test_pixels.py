"""Pixels as features."""

import torch

from gan.metrics.features import Pixels


def test_features_are_the_pixels_without_classes():
    images = torch.rand(4, 3, 5, 5)
    net = Pixels()
    net.prepare(None)
    view = net(images)
    assert torch.equal(view.features, images.view(4, 75))
    assert (view.log_probabilities, view.good) == (None, None)
    assert (net.name, net.ready) == ("pixels", True)
