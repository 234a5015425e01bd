"""The classifier, its training, and the feature extractors that use it."""

import json
import logging
import math

import pytest
import torch
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as transforms

from gan.core.errors import UserError
from gan.core.images import scale
from gan.data.base import Split
from gan.data.mnist import MNIST
from gan.evaluation.reference import load_reference
from gan.metrics import Frechet
from gan.metrics.features import Shipped, Trained, classifier
from gan.metrics.features.classifier import (
    WEIGHTS,
    Classifier,
    Recipe,
    accuracy,
    augment,
    checksum,
    fit,
    load,
    look,
    save,
)

QUICK = Recipe(epochs=5, batch_size=64)


@pytest.fixture(scope="module")
def part(digits):
    """Enough digits to train on."""
    return digits.splits["train"][:800]


@pytest.fixture(scope="module")
def net(part):
    return fit(part.images, part.labels, 10, QUICK)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("size", "stages"), [(8, 2), (28, 2), (32, 2), (33, 3), (64, 3)])
def test_shapes_of_logits_features_and_maps(channels, size, stages):
    net = Classifier(channels, size, classes=7, width=4).eval()
    images = torch.rand(3, channels, size, size)
    assert net(images).shape == (3, 7)
    assert net.features(images).shape == (3, 128)
    assert net.features(images).min() >= 0
    maps = net.convolutions(images)
    assert maps.shape[1] == 4 * 2 ** (stages - 1)
    assert maps.shape[2] == math.ceil(size / 2**stages) <= 9


def test_look_returns_features_and_normalized_log_probabilities(net, digits):
    images = scale(digits.splits["test"].images[:20])
    view = look(net, images)
    assert torch.equal(view.features, net.features(images))
    assert torch.allclose(view.log_probabilities, net(images).log_softmax(1))
    assert torch.allclose(view.log_probabilities.exp().sum(1), torch.ones(20))
    assert view.good is None


def test_classifier_learns_the_digits(net, digits):
    test = digits.splits["test"]
    assert accuracy(net, test.images, test.labels) > 0.9
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())


def test_fit_is_deterministic_and_keeps_the_global_random_state(part, monkeypatch):
    monkeypatch.delattr(torch.cuda, "manual_seed_all")  # what torch.manual_seed calls, GPU or not
    few, recipe = part[:100], Recipe(epochs=1, batch_size=50)
    torch.rand(7)  # the global random state must not matter
    before = torch.get_rng_state()
    nets = [fit(few.images, few.labels, 10, recipe, seed) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert same(nets[0], nets[1])
    assert not same(nets[0], nets[2])


def test_classifier_is_trained_on_the_given_device(digits, tmp_path, monkeypatch):
    asked = []

    def recorded_fit(images, labels, classes, recipe, seed, device):
        asked.append(device)
        return fit(images, labels, classes, recipe, seed)

    monkeypatch.setattr(classifier, "fit", recorded_fit)
    here = torch.device("cpu", 0)
    reference = load_reference(digits, Trained(str(tmp_path), epochs=1), here, [Frechet()])
    assert asked == [here]
    assert reference.net.device == here


def test_fewer_images_than_a_batch_form_one_batch(part):
    net = fit(part.images[:9], part.labels[:9], 10, Recipe(epochs=1))
    assert torch.isfinite(net(scale(part.images[:9]))).all()


def test_accuracy_is_the_share_of_correct_predictions(net, digits, monkeypatch):
    test = digits.splits["test"]
    right = net(scale(test.images)).argmax(1) == test.labels
    monkeypatch.setattr(classifier, "BATCH", 70)
    assert accuracy(net, test.images, test.labels) == pytest.approx(right.double().mean().item())


STILL = Recipe(turn=0, zoom=0, shift=0)


def test_augmentation_with_zero_ranges_is_the_identity(part):
    images = scale(part.images[:50])
    assert torch.allclose(augment(images, STILL), images, atol=1e-5)


@pytest.mark.parametrize(("size", "bound"), [(11, 0.1), (21, 0.2)])
def test_augmentation_shifts_stay_within_their_bound(size, bound):
    """The center of a blob moves by at most that share of the side, along both axes and in both directions."""
    torch.manual_seed(0)
    place = torch.arange(size) - size // 2
    blob = torch.exp(-(place[:, None] ** 2 + place**2) / 2).expand(300, 1, size, size)
    moved = augment(blob, Recipe(turn=0, zoom=0, shift=bound))[:, 0]
    mass = moved.sum((1, 2))
    for axis in (1, 2):
        centres = (moved.sum(axis) * place).sum(1) / mass / size
        assert centres.abs().max() < bound + 0.01
        assert centres.max() > 0.8 * bound
        assert centres.min() < -0.8 * bound
    assert len({tuple(image.flatten().tolist()) for image in moved}) == 300  # each image has its own shift


def test_augmentation_rotations_stay_within_their_bound():
    torch.manual_seed(0)
    place = torch.arange(33) - 16.0
    bar = torch.exp(-(place[:, None] ** 2) / 4 - place**2 / 60).expand(300, 1, 33, 33)
    turned = augment(bar, Recipe(turn=20, zoom=0, shift=0))[:, 0]
    # The principal axis of the second moments.
    y, x = torch.meshgrid(place, place, indexing="ij")
    xx, yy, xy = ((turned * moment).sum((1, 2)) for moment in (x * x, y * y, x * y))
    angles = torch.rad2deg(torch.atan2(2 * xy, xx - yy) / 2)
    assert 16 < angles.max() < 20.5
    assert -16 > angles.min() > -20.5


def test_augmentation_scales_stay_within_their_bound():
    torch.manual_seed(0)
    place = torch.arange(33) - 16.0
    blob = torch.exp(-(place[:, None] ** 2 + place**2) / 20).expand(300, 1, 33, 33)
    zoomed = augment(blob, Recipe(turn=0, zoom=0.2, shift=0))[:, 0]
    widths = (zoomed.sum(1) * place**2).sum(1).div(zoomed.sum((1, 2))).sqrt() / math.sqrt(10)
    assert widths.max() == pytest.approx(1 / 0.8, abs=0.02)
    assert widths.min() == pytest.approx(1 / 1.2, abs=0.02)


def test_augmentation_replicates_the_border():
    torch.manual_seed(0)
    assert torch.allclose(augment(torch.full((20, 3, 8, 8), 0.7), Recipe()), torch.tensor(0.7), atol=1e-6)


def test_saved_classifier_is_loaded_unchanged(net, tmp_path):
    path = tmp_path / "deep" / "net.safetensors"
    digest = save(net, path, {"made": "here"})
    again = load(path)
    assert same(net, again)
    assert again.shape == net.shape
    assert not again.training
    assert digest == checksum(path)
    assert len(digest) == 64
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no unfinished file remains
    assert save(net, tmp_path / "other.safetensors", {"made": "there"}) != digest


# Packaged classifiers


@pytest.mark.parametrize("of", ["digits", "mnist"])
def test_packaged_weights_match_their_record(of):
    path = WEIGHTS / f"{of}.safetensors"
    record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert checksum(path) == record["sha256"]
    assert path.stat().st_size < 2_000_000
    net = Shipped(of)
    assert sum(p.numel() for p in net.parameters()) == record["weights"]
    assert net.name == f"{of} classifier {record['sha256'][:8]}"
    assert net.ready


def test_packaged_digits_classifier_has_the_recorded_accuracy(digits):
    record = json.loads((WEIGHTS / "digits.json").read_text(encoding="utf-8"))
    for name, split in digits.splits.items():
        assert accuracy(Shipped("digits").classifier, split.images, split.labels) == record["accuracy"][name]


def test_packaged_mnist_classifier_is_accurate(mnist_root):
    data = MNIST(root=mnist_root, batch_size=64, image_size=28, channels=1, classes=10, seed=1)
    data.setup()
    some = data.splits["test"][::4]  # all 10,000 take 20 seconds
    assert accuracy(Shipped("mnist").classifier, some.images, some.labels) > 0.993


def test_images_of_another_size_are_resized_with_a_warning(digits, caplog):
    net, test = Shipped("digits"), digits.splits["test"]
    large = F.interpolate(scale(test.images), [16, 16], mode="bilinear")
    view = net(large)
    assert view.features.shape == (200, 128)
    assert (view.log_probabilities.argmax(1) == test.labels).double().mean() > 0.95
    resized = transforms.resize(large, [8, 8], antialias=True)
    assert torch.allclose(view.features, net(resized).features, atol=1e-4)
    with caplog.at_level(logging.WARNING):
        net.prepare(Data({}, image_size=16))
    assert "images of 16×16 are resized to 8×8" in caplog.text


def test_images_of_its_own_size_are_not_resized(digits, caplog):
    net, images = Shipped("digits"), scale(digits.splits["test"].images[:5])
    with caplog.at_level(logging.INFO):
        net.prepare(digits)
    assert not caplog.records
    assert torch.equal(net(images).features, net.classifier.features(images))


def test_color_images_are_refused():
    with pytest.raises(UserError, match="features=mnist expects images with 1 channel, the data's have 3; take feat"):
        Shipped("mnist").prepare(Data({}, channels=3))


def test_unknown_packaged_classifier_is_refused():
    with pytest.raises(ValueError, match="no classifier of cats is shipped, only of digits and mnist"):
        Shipped("cats")


# Classifiers trained on the data


class Data:
    """The attributes of a data source that a feature extractor uses."""

    def __init__(self, splits, channels=1, image_size=8):
        self.splits, self.channels, self.image_size = splits, channels, image_size

    def describe(self):
        return "a few images"


def some(digits, count=200, labels=None):
    train, valid = digits.splits["train"][:count], digits.splits["valid"]
    return Data({"train": train if labels is None else Split(train.images, labels), "valid": valid})


def trained(tmp_path, data, **arguments):
    net = Trained(str(tmp_path), **{"epochs": 2, "batch_size": 50, **arguments})
    net.prepare(data)
    return net


def test_classifier_is_trained_once_and_then_loaded(digits, tmp_path, monkeypatch, caplog):
    data = some(digits)
    assert not Trained(str(tmp_path)).ready
    with caplog.at_level(logging.INFO):
        first = trained(tmp_path, data)
    (path,) = tmp_path.iterdir()
    assert first.name == f"trained classifier {checksum(path)[:8]}"
    right = accuracy(first.classifier, digits.splits["valid"].images, digits.splits["valid"].labels)
    assert caplog.messages[-1] == f"{first.name}, right on {right:.2%} of the validation images"
    monkeypatch.setattr(classifier, "fit", None)
    second = trained(tmp_path, data)
    assert second.name == first.name
    images = scale(digits.splits["test"].images)
    assert torch.equal(second(images).features, first(images).features)
    assert torch.equal(second(images).log_probabilities, first(images).log_probabilities)


def test_classifier_is_trained_with_its_recipe_and_recorded(digits, tmp_path):
    net = trained(tmp_path, some(digits), seed=3)
    train = digits.splits["train"][:200]
    assert same(net.classifier, fit(train.images, train.labels, 10, Recipe(epochs=2, batch_size=50), seed=3))
    (path,) = tmp_path.iterdir()
    with classifier.safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["record"])
    assert (record["data"], record["seed"], record["recipe"]["epochs"]) == ("a few images", 3, 2)


def test_cache_file_depends_on_images_labels_recipe_and_seed(digits, tmp_path):
    swapped = digits.splits["train"].labels[:200].clone()
    swapped[:2] = swapped[:2].flip(0)
    nets = [
        trained(tmp_path, some(digits)),
        trained(tmp_path, some(digits, 199)),
        trained(tmp_path, some(digits, labels=swapped)),
        trained(tmp_path, some(digits), epochs=1),
        trained(tmp_path, some(digits), seed=1),
    ]
    assert len({net.name for net in nets}) == len(list(tmp_path.iterdir())) == 5


def test_unlabelled_images_are_not_trained_on(digits, tmp_path):
    labels = digits.splits["train"].labels[:200].clone()
    labels[::2] = -1
    half = trained(tmp_path, some(digits, labels=labels))
    train = digits.splits["train"][:200][1::2]
    assert same(half.classifier, fit(train.images, train.labels, 10, Recipe(epochs=2, batch_size=50)))


@pytest.mark.parametrize("label", [-1, 0])
def test_without_classes_features_fall_back_to_pixels(digits, tmp_path, label, caplog):
    net = trained(tmp_path, some(digits))
    with caplog.at_level(logging.INFO):
        net.prepare(some(digits, labels=torch.full((200,), label)))
    assert net.name == "pixels"
    assert "no classes to train a classifier on" in caplog.text
    images = torch.rand(4, 1, 8, 8)
    view = net(images)
    assert torch.equal(view.features, images.flatten(1))
    assert view.log_probabilities is None


def test_damaged_cache_file_is_reported(digits, tmp_path):
    trained(tmp_path, some(digits), epochs=1)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=f"{path.name} is damaged .*; delete it to have it trained again"):
        trained(tmp_path, some(digits), epochs=1)


def test_unwritable_cache_is_reported_before_training(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "fit", None)
    (tmp_path / "file").touch()
    with pytest.raises(
        UserError, match=r"features.cache=.*file/deep cannot keep .*; give a folder that can be written"
    ):
        trained(tmp_path / "file" / "deep", some(digits))
    monkeypatch.setattr(classifier.os, "access", lambda *_: False)
    with pytest.raises(UserError, match=r"cannot keep a classifier \(Permission denied\)"):
        trained(tmp_path, some(digits))
