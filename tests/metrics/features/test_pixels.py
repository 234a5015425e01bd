"""Pixels as features."""

import torch

from gan.metrics.features import Pixels


def test_a_feature_for_each_pixel_and_no_classes():
    images = torch.rand(4, 3, 5, 5)
    net = Pixels()
    net.prepare(None)
    view = net(images)
    assert torch.equal(view.features, images.view(4, 75))
    assert (view.log_probabilities, view.good) == (None, None)
    assert (net.name, net.ready) == ("pixels", True)
