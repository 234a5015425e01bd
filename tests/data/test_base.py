"""Batches: each image at most once an epoch, in an order that depends on neither the start nor the process count."""

from itertools import islice

import pytest
import torch

from gan.core.errors import UserError
from gan.core.images import scale
from gan.data import base
from gan.data.base import Batches, ImageData, Split
from gan.data.gaussian import Gaussian
from gan.data.mixture import Ring

IMAGES = torch.arange(103, dtype=torch.uint8).view(-1, 1, 1, 1)
LABELS = torch.arange(103) + 1000


def stream(count, start=0, batch_size=10, seed=1, **kwargs):
    """The first pixels of ``count`` batches from batch ``start`` on, as 0..255 again."""
    batches = Batches(IMAGES, LABELS, batch_size, seed, position=lambda: start, **kwargs)
    return [pixels(batch) for batch in islice(batches, count)]


def pixels(batch):
    """The first pixels as 0..255; checks that the labels match."""
    values = (batch.images * 255).round().int().flatten().tolist()
    assert batch.labels.tolist() == [1000 + value for value in values]
    return values


def test_each_image_is_seen_once_an_epoch_in_a_new_order():
    first, second = stream(20)[:10], stream(20)[10:]
    for epoch in (first, second):
        seen = [image for minibatch in epoch for image in minibatch]
        assert len(seen) == len(set(seen)) == 100  # 103 // 10 batches
    assert first != second
    assert stream(10, seed=2) != first


@pytest.mark.parametrize("start", [0, 1, 9, 10, 11, 25])
def test_batches_can_start_at_any_position(start):
    assert stream(30)[start:] == stream(30 - start, start=start)


def test_processes_split_the_global_batch():
    whole = stream(5, batch_size=20)
    shares = [stream(5, batch_size=10, rank=rank, world=2) for rank in (0, 1)]
    assert [a[0::2] for a in whole] == shares[0]
    assert [a[1::2] for a in whole] == shares[1]


def test_position_is_read_at_the_first_batch():
    position = {"now": 0}
    iterator = iter(Batches(IMAGES, LABELS, 10, 1, position=lambda: position["now"]))
    position["now"] = 4  # as when a checkpoint is restored after iter()
    assert pixels(next(iterator)) == stream(5)[4]


def test_scale_maps_uint8_to_the_unit_interval():
    x = scale(torch.tensor([0, 51, 255], dtype=torch.uint8))
    assert x.dtype == torch.float32
    assert x.tolist() == pytest.approx([0, 0.2, 1])


class Fake(ImageData):
    def __init__(self, images, **changes):
        super().__init__(**{"batch_size": 2, "image_size": 4, "channels": 1, "classes": 0, "seed": 1} | changes)
        self.images = images

    def load(self):
        return {"train": Split(self.images, torch.zeros(len(self.images), dtype=torch.int64))}


def test_mean_image_is_computed_in_float64():
    images = torch.randint(0, 256, (50, 1, 4, 4), dtype=torch.uint8)
    data = Fake(images)
    data.setup()
    assert torch.allclose(data.mean_image().double(), images.double().mean(0) / 255, atol=1e-7)


def test_images_of_another_size_are_resized():
    data = Fake(torch.full((5, 1, 9, 9), 77, dtype=torch.uint8), image_size=4)
    data.setup()
    assert data.splits["train"].images.shape == (5, 1, 4, 4)
    assert data.splits["train"].images.unique().tolist() == [77]


def test_invalid_options_raise_clear_errors():
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, got 0"):
        Fake(torch.zeros(5, 1, 4, 4, dtype=torch.uint8), batch_size=0)
    with pytest.raises(UserError, match=r"data.batch_size=9 is more than the 5 training images"):
        Fake(torch.zeros(5, 1, 4, 4, dtype=torch.uint8), batch_size=9).setup()
    with pytest.raises(UserError, match=r"data.channels=3, but the images have 1"):
        Fake(torch.zeros(5, 1, 4, 4, dtype=torch.uint8), channels=3).setup()
    crowded = Fake(torch.zeros(5, 1, 4, 4, dtype=torch.uint8), batch_size=3)
    crowded.setup()
    with pytest.raises(UserError, match="on 2 processes is more than the 5 training images"):
        crowded.batches_per_epoch(world=2)


@pytest.mark.parametrize("part", [1, 64, 100, 799, 10_000])
def test_mean_image_does_not_depend_on_the_part_size(monkeypatch, part):
    monkeypatch.setattr(base, "PART", part)
    images = torch.randint(0, 256, (50, 1, 4, 4), dtype=torch.uint8)
    data = Fake(images)
    data.setup()
    assert torch.allclose(data.mean_image().double(), images.double().mean(0) / 255, atol=1e-7)


def test_default_folds_are_the_validation_and_test_split():
    data = Fake(torch.zeros(5, 1, 4, 4, dtype=torch.uint8))
    valid, test = (Split(torch.full((2, 1, 4, 4), i, dtype=torch.uint8), torch.zeros(2)) for i in (1, 2))
    data.splits = {"train": valid, "valid": valid, "test": test}
    (fold,) = data.folds()
    assert fold.keys() == {"valid", "test"}
    assert fold["valid"] is valid
    assert fold["test"] is test


def test_describe_gives_count_and_shape():
    data = Fake(torch.zeros(1234, 3, 4, 4, dtype=torch.uint8), channels=3)
    data.setup()
    assert data.describe() == "Fake: 1,234 images 3×4×4"


def test_split_can_be_sliced_and_indexed():
    whole = Split(IMAGES, torch.arange(103))
    assert whole[10:20].labels.tolist() == list(range(10, 20))
    some = whole[torch.tensor([7, 3])]
    assert some.images.flatten().tolist() == some.labels.tolist() == [7, 3]


def test_is_loaded_and_has_fixed_examples_of_each_kind_of_data():
    data = Fake(torch.zeros(5, 1, 4, 4, dtype=torch.uint8))
    assert (data.has_fixed_examples, data.is_loaded) == (True, False)
    data.setup()
    assert data.is_loaded
    shape = {"batch_size": 2, "classes": 0, "seed": 1}
    numbers = Gaussian(mean=0.0, deviation=1.0, image_size=1, channels=1, **shape)
    assert (numbers.has_fixed_examples, numbers.is_loaded, numbers.folds()) == (False, True, [])
    points = Ring(modes=8, radius=1.0, deviation=0.1, image_size=1, channels=2, **shape)
    assert (points.has_fixed_examples, points.is_loaded) == (True, False)
    points.setup()
    assert points.is_loaded


FEW = Split(torch.arange(7, dtype=torch.uint8).view(-1, 1, 1, 1), torch.arange(7))


def labelled_stream(count, start=0, **kwargs):
    batches = Batches(IMAGES, LABELS, position=lambda: start, labelled=FEW, **{"batch_size": 14, "seed": 1} | kwargs)
    return list(islice(batches, count))


def test_batches_of_few_labels_have_the_other_images_without_theirs():
    plain = stream(9, batch_size=14)
    for batch, images in zip(labelled_stream(9), plain, strict=True):
        assert (batch.images * 255).round().int().flatten().tolist() == images
        assert batch.labels.eq(-1).all()
        assert batch.known_labels.bincount().tolist() == [2] * 7  # whole permutations
        assert torch.equal((batch.labelled_images.flatten() * 255).round().long(), batch.known_labels)


def test_labelled_rows_depend_on_neither_the_start_nor_the_processes():
    whole = [batch.known_labels.tolist() for batch in labelled_stream(12)]
    assert whole[0] != whole[1]
    assert [batch.known_labels.tolist() for batch in labelled_stream(4, start=8)] == whole[8:]
    for rank in (0, 1):
        mine = labelled_stream(12, batch_size=7, rank=rank, world=2)
        assert [batch.known_labels.tolist() for batch in mine] == [rows[rank::2] for rows in whole]


class Classes(Fake):
    def load(self):
        labels = torch.arange(len(self.images)) % 3
        return dict.fromkeys(("train", "valid", "test"), Split(self.images, labels))


def test_labels_are_balanced_and_drawn_by_the_seed():
    images = torch.arange(30, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    chosen = {}
    for seed in (1, 2):
        data = Classes(images, labels_per_class=4, seed=seed)
        data.setup()
        few = data.labelled()
        assert few.labels.bincount().tolist() == [4, 4, 4]
        assert torch.equal(few.images[:, 0, 0, 0].long() % 3, few.labels)
        assert torch.equal(few.images, data.labelled().images)
        chosen[seed] = few.images
    assert not torch.equal(chosen[1], chosen[2])


def test_labels_beyond_the_classes_are_refused():
    images = torch.zeros(9, 1, 4, 4, dtype=torch.uint8)
    for classes in (0, 3):
        Classes(images, classes=classes).setup()
    with pytest.raises(UserError, match=r"data.classes=2, but the images have labels from 0 to 2"):
        Classes(images, classes=2).setup()


class Unlabelled(Fake):
    def load(self):
        return {"train": Split(self.images, torch.full((len(self.images),), -1))}


def test_too_few_labels_are_refused_before_the_training():
    images = torch.zeros(9, 1, 4, 4, dtype=torch.uint8)
    with pytest.raises(UserError, match=r"data.labels_per_class=4: a class has only 3 training images"):
        Classes(images, labels_per_class=4).setup()
    with pytest.raises(UserError, match=r"data.labels_per_class=4: the training images have no labels"):
        Unlabelled(images, labels_per_class=4).setup()
