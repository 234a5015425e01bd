"""The digits are those of scikit-learn, all of them, in three splits."""

import torch
from sklearn.datasets import load_digits

from gan.data.digits import Digits


def test_splits_are_a_partition_of_the_published_digits():
    data = Digits(batch_size=64, image_size=8, channels=1, classes=10, seed=5)
    data.setup()
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 1397, "valid": 200, "test": 200}
    images = torch.cat([split.images for split in data.splits.values()]).flatten(1)
    labels = torch.cat([split.labels for split in data.splits.values()])
    ours = sorted(
        (*(x * 16 / 255).round().int().tolist(), y) for x, y in zip(images.double(), labels.tolist(), strict=True)
    )
    pixels, digits = load_digits(return_X_y=True)
    theirs = sorted((*x.astype(int).tolist(), int(y)) for x, y in zip(pixels, digits, strict=True))
    assert ours == theirs
    assert all(split.labels.bincount().min() > 5 for split in data.splits.values())
