"""Inception without its package, without its weights, and the images that it gets; torch-fidelity has the network."""

import sys
from types import ModuleType
from urllib.error import URLError

import pytest
import torch

from gan.core.errors import UserError
from gan.metrics.features import Inception

MODULE = "torch_fidelity.feature_extractor_inceptionv3"


@pytest.fixture
def package(monkeypatch):
    """Replaces torch-fidelity's network by another class."""

    def put(net):
        module = ModuleType(MODULE)
        module.FeatureExtractorInceptionV3 = net
        monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
        monkeypatch.setitem(sys.modules, MODULE, module)

    return put


class Net(torch.nn.Module):
    """Returns the mean color as features and one pixel as logits; keeps its input in ``seen``."""

    def __init__(self, name, features, feature_extractor_weights_path):
        super().__init__()
        self.arguments = (name, features, feature_extractor_weights_path)
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, images):
        self.seen = images
        return images.double().mean((2, 3)) * self.weight, images.double()[:, :2, 0, 0]


def test_missing_package_gives_a_one_line_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.setitem(sys.modules, MODULE, None)
    with pytest.raises(
        UserError, match="pip install torch-fidelity; features=trained and features=pixels need"
    ) as info:
        Inception().prepare(None)
    assert "\n" not in str(info.value)


def test_failed_download_gives_a_one_line_error(package):
    def fail(*_, **__):
        raise URLError("no route\nto host")

    package(fail)
    with pytest.raises(UserError, match=r"could not be fetched .*no route to host.*features.weights=FILE") as info:
        Inception().prepare(None)
    assert "\n" not in str(info.value)


class Bomb:
    def __reduce__(self):
        return print, ("unpickled",)


@pytest.mark.parametrize("content", [None, b"no weights", Bomb()])
def test_invalid_weights_file_is_reported_and_not_executed(package, tmp_path, capsys, content):
    package(Net)
    path = tmp_path / "inception.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=r"could not be read from .*inception.pth .*features.weights=FILE") as info:
        Inception(str(path)).prepare(None)
    assert "\n" not in str(info.value)
    assert "unpickled" not in capsys.readouterr().out


def test_network_is_created_once_and_frozen(package, tmp_path):
    package(Net)
    path = str(tmp_path / "there.pth")
    torch.save({}, path)
    inception = Inception(path)
    assert not inception.ready
    inception.prepare(None)
    net = inception.net
    inception.prepare(None)
    assert inception.net is net
    assert net.arguments == (inception.name, ["2048", "logits_unbiased"], path)
    assert not net.training
    assert not net.weight.requires_grad


@pytest.mark.parametrize("channels", [1, 3])
def test_network_gets_uint8_images_of_three_channels(package, channels):
    package(Net)
    inception = Inception()
    inception.prepare(None)
    stored = torch.randint(0, 256, (4, channels, 6, 6), dtype=torch.uint8)
    view = inception(stored.float() / 255)
    assert torch.equal(inception.net.seen, stored.expand(-1, 3, -1, -1))
    assert view.features.dtype == view.log_probabilities.dtype == torch.float32
    assert torch.allclose(view.features, stored.expand(-1, 3, -1, -1).float().mean((2, 3)))
    assert torch.allclose(view.log_probabilities.exp().sum(1), torch.ones(4))


def test_pixel_values_are_rounded_and_clamped(package):
    package(Net)
    inception = Inception()
    inception.prepare(None)
    inception(torch.tensor([-0.1, 0.0019, 0.0021, 0.9979, 0.9981, 1.1]).view(1, 1, 1, 6))
    assert inception.net.seen[0, 0, 0].tolist() == [0, 0, 1, 254, 255, 255]
