"""The packaged classifier on each channel, and the joint classes of the three channels."""

import itertools
from types import SimpleNamespace

import pytest
import torch

from gan.core.errors import UserError
from gan.metrics.features import Shipped, Stacked
from gan.metrics.features.stacked import joint


def test_joint_log_probabilities_by_brute_force():
    one = torch.randn(4, 3, 5, dtype=torch.float64).log_softmax(2)
    found = joint(one)
    assert found.shape == (4, 125)
    for number, (a, b, c) in enumerate(itertools.product(range(5), repeat=3)):
        assert torch.allclose(found[:, number], one[:, 0, a] + one[:, 1, b] + one[:, 2, c], atol=1e-12)
    assert torch.allclose(found.exp().sum(1), torch.ones(4, dtype=torch.float64))


def test_features_and_classes_combine_those_of_the_channels(images):
    mnist, net = Shipped("mnist").eval(), Stacked("mnist").eval()
    view = net(images)
    assert (view.features.shape, view.log_probabilities.shape, view.good) == ((6, 384), (6, 1000), None)
    alone = [mnist(images[:, [channel]]) for channel in range(3)]
    assert torch.allclose(view.features, torch.cat([one.features for one in alone], 1), atol=1e-5)
    digits = torch.stack([one.log_probabilities.argmax(1) for one in alone], 1)
    assert torch.equal(view.log_probabilities.argmax(1), (digits * torch.tensor([100, 10, 1])).sum(1))
    assert net.name == f"{mnist.name} on each of 3 channels"


@pytest.fixture
def images():
    """Smooth random images (6, 3, 28, 28), for which the likeliest class is numerically stable."""
    small = torch.rand(6, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(small, 28, mode="bilinear")


def test_real_stacked_digits_are_recognized(mnist_root):
    from gan.data.stacked_mnist import StackedMNIST

    data = StackedMNIST(root=mnist_root, batch_size=8, image_size=28, channels=3, classes=1000, seed=1)
    data.setup()
    net, test = Stacked("mnist").eval(), data.splits["test"][:300]
    net.prepare(data)
    with torch.no_grad():
        found = net(test.images.float() / 255).log_probabilities.argmax(1)
    assert (found == test.labels).double().mean() > 0.95  # three digits right, each more than 99 %


def test_unsupported_images_and_classifiers_are_refused(caplog):
    with pytest.raises(UserError, match=r"features=stacked_mnist expects images with 3 channels, the data's have 1"):
        Stacked("mnist").prepare(SimpleNamespace(channels=1, image_size=28))
    with pytest.raises(ValueError, match="no classifier of cifar is shipped"):
        Stacked("cifar")
