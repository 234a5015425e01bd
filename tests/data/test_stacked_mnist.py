"""Stacked MNIST: three digits of one split in the channels of an image, the same in every run."""

import pytest
import torch

from gan.core.errors import UserError
from gan.core.random import RandomRows
from gan.data.base import Split
from gan.data.mnist import MNIST
from gan.data.stacked_mnist import StackedMNIST, stacked

COMMON = {"batch_size": 8, "image_size": 28, "classes": 1000, "seed": 1}


def test_each_channel_is_a_digit_and_the_label_combines_them():
    digits = Split(torch.arange(10).to(torch.uint8).view(10, 1, 1, 1).repeat(1, 1, 2, 2), torch.arange(10))
    images = stacked(digits, seed=5)
    assert (images.images.shape, images.images.dtype) == ((10, 3, 2, 2), torch.uint8)
    for image, label in zip(images.images, images.labels, strict=True):
        assert [int(channel.unique()) for channel in image] == [int(digit) for digit in f"{label:03d}"]
    assert images.labels.dtype == torch.int64
    assert not torch.equal(images.labels, stacked(digits, seed=6).labels)


def test_all_triples_are_equally_likely():
    digits = Split(torch.zeros(100_000, 1, 1, 1, dtype=torch.uint8), torch.arange(100_000) % 10)
    counts = torch.bincount(stacked(digits, seed=0).labels, minlength=1000)
    assert counts.shape == (1000,)
    assert (counts - 100).abs().max() < 60  # six deviations of a Poisson number of mean 100
    # Pearson's statistic: 999 ± 45.
    assert ((counts - 100) ** 2 / 100).sum().item() == pytest.approx(999, abs=6 * 45)


def test_splits_stack_their_own_digits_whatever_the_seed(small_root):
    one, other = (
        StackedMNIST(root=small_root, validation_size=20, channels=3, **COMMON | {"seed": seed}) for seed in (1, 2)
    )
    plain = MNIST(root=small_root, validation_size=20, channels=1, **COMMON)
    for data in (one, other, plain):
        data.prepare_data()
        data.setup()
    assert {name: len(split) for name, split in one.splits.items()} == {"train": 40, "valid": 20, "test": 10}
    for name, split in one.splits.items():
        assert split.images.dtype == torch.uint8
        assert torch.equal(split.images, other.splits[name].images)
        own = {image.numpy().tobytes(): int(k) for image, k in zip(*vars(plain.splits[name]).values(), strict=True)}
        for image, label in zip(split.images, split.labels, strict=True):
            a, b, c = (own[channel.numpy().tobytes()] for channel in image)  # a KeyError: of another split
            assert int(label) == 100 * a + 10 * b + c
    assert one.describe() == "StackedMNIST: 40 images 3×28×28"
    assert one.samples_to_score == 25_600


def test_number_of_training_images_may_be_chosen(small_root):
    """The first ones are those of the default; the other splits do not change."""
    common = {"root": small_root, "validation_size": 20, "channels": 3} | COMMON
    plain, more, fewer = (StackedMNIST(**common | {"triples": count}) for count in (None, 90, 9))
    for data in (plain, more, fewer):
        data.setup()
    assert {name: len(split) for name, split in more.splits.items()} == {"train": 90, "valid": 20, "test": 10}
    assert torch.equal(more.splits["train"].images[:40], plain.splits["train"].images)
    assert torch.equal(fewer.splits["train"].labels, plain.splits["train"].labels[:9])
    assert torch.equal(more.splits["test"].images, plain.splits["test"].images)
    with pytest.raises(ValueError, match="triples must be a whole number of at least 1, or null, got 0"):
        StackedMNIST(**common | {"triples": 0})


def test_validation_split_may_be_empty(small_root):
    data = StackedMNIST(root=small_root, validation_size=0, channels=3, **COMMON)
    data.setup()
    assert [len(split) for split in data.splits.values()] == [60, 0, 10]


def test_one_channel_is_refused(small_root):
    with pytest.raises(UserError, match=r"data.channels=1, but the images have 3"):
        StackedMNIST(root=small_root, validation_size=20, channels=1, **COMMON).setup()


@pytest.mark.parametrize("model", ["mlp", "maxout"])
def test_image_networks_train_on_stacked_mnist(configure, run_training, small_root, model):
    choices = [f"data.root={small_root}", "data.validation_size=20", "data.batch_size=8", "trainer.max_steps=2"]
    game = run_training(configure("data=stacked_mnist", f"model={model}", *choices, "logger=none"))
    assert game.module.generator(game.module.latent.draw(RandomRows(), 2)).shape == (2, 3, 28, 28)
