"""Mixtures of Gaussians in the plane, with the same splits in every run."""

import math

import pytest
import torch

from gan.core.errors import UserError
from gan.data.mixture import Grid, Ring
from gan.metrics.features import Components
from gan.runs.build import build
from tests.test_resume import check_resume

COMMON = {"batch_size": 64, "image_size": 1, "channels": 2, "classes": 0, "seed": 1, "examples": 200}
RING, GRID = COMMON | {"deviation": 0.01}, COMMON | {"deviation": 0.05}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_centers_are_those_of_the_literature():
    ring = Ring(**RING).centres
    assert ring.shape == (8, 2)
    assert torch.allclose(ring.norm(dim=1), torch.ones(8))
    half = math.sqrt(0.5)
    for k, place in ((0, (1, 0)), (1, (half, half)), (2, (0, 1)), (4, (-1, 0)), (7, (half, -half))):
        assert torch.allclose(ring[k], torch.tensor(place).float(), atol=1e-6)
    expected = [[x, y] for y in (-4.0, -2.0, 0.0, 2.0, 4.0) for x in (-4.0, -2.0, 0.0, 2.0, 4.0)]
    assert Grid(**GRID).centres.tolist() == expected
    assert Grid(side=2, spacing=3.0, **GRID).centres.tolist() == [[-1.5, -1.5], [1.5, -1.5], [-1.5, 1.5], [1.5, 1.5]]


@pytest.mark.parametrize("data", [Ring(radius=3.0, **RING), Grid(**GRID)])
def test_points_are_normal_around_equally_likely_centers(data):
    points = data.labelled(100_000, seeded())
    k = len(data.centres)
    assert (points.images.shape, points.images.dtype) == ((100_000, 2, 1, 1), torch.float32)
    counts = torch.bincount(points.labels, minlength=k).double()
    assert ((counts - 100_000 / k).abs() < 6 * math.sqrt(100_000 / k)).all()
    away = (points.images.flatten(1) - data.centres[points.labels]).double() / data.deviation
    # Six standard errors of a mean of 100,000, of a deviation and of a correlation.
    assert away.mean(0).abs().max() < 0.019
    assert (away.std(0) - 1).abs().max() < 0.014
    assert abs(away.prod(1).mean()) < 0.019


def test_splits_are_fixed_and_disjoint():
    one, other = Grid(**GRID), Grid(**GRID | {"seed": 2})
    one.setup()
    other.setup("fit")
    assert list(one.splits) == ["train", "valid", "test"]
    for name, split in one.splits.items():
        assert split.images.shape == (200, 2, 1, 1)
        assert torch.equal(split.images, other.splits[name].images)
        away = (split.images.flatten(1) - one.centres[split.labels]).norm(dim=1)
        assert away.max() < 6 * one.deviation  # the labels are the modes
    first, second, third = (split.images for split in one.splits.values())
    assert not any(torch.equal(a, b) for a, b in ((first, second), (first, third), (second, third)))


def test_mean_image_epoch_length_and_description():
    data = Ring(batches_per_epoch=30, **RING)
    assert torch.allclose(data.mean_image(), torch.zeros(2, 1, 1), atol=1e-6)
    assert [data.batches_per_epoch(world) for world in (1, 2)] == [30, 30]
    assert data.describe() == "Ring: endless points, 8 modes on a circle of radius 1, deviation 0.01"
    assert Grid(**GRID).describe() == "Grid: endless points, 5×5 modes on a grid of spacing 2, deviation 0.05"
    assert data.samples_to_score == 2500
    assert torch.equal(data.draw(5, seeded(3)).images, data.labelled(5, seeded(3)).images)


@pytest.mark.parametrize(("words", "count"), [(["data.side=10"], 100), ([], 25), (["data.side=3"], 9)])
def test_classes_features_and_modes_of_a_grid_follow_its_side(configure, words, count):
    cfg = configure("data=grid", *words)
    data = build(cfg).data
    data.setup()
    assert cfg.data.classes == data.classes == len(data.centres) == count
    assert data.splits["test"].labels.max() == count - 1
    features = Components()
    features.prepare(data)
    points = data.splits["test"][:500]
    seen = features(points.images)
    assert seen.log_probabilities.shape == (500, count)
    assert (seen.log_probabilities.argmax(1) == points.labels).float().mean() > 0.99


def test_a_side_that_is_no_number_is_refused_in_one_line(configure):
    with pytest.raises(UserError, match=r"data.side must be a whole number of at least 1, got a"):
        build(configure("data=grid", "data.side=a"))


@pytest.mark.parametrize("source", ["ring", "grid"])
def test_resumed_run_equals_the_uninterrupted_one(configure, run_training, tmp_path, source):
    choices = [f"data={source}", "model=points", "data.batches_per_epoch=10", "trainer.max_epochs=2"]
    choices += ["callbacks.monitor.every_n_batches=4", "callbacks.plane.every_n_batches=10", "ema.decay=0"]
    whole = run_training(configure(*choices, folder="whole"))
    assert whole.module.iteration == 20
    check_resume(configure, run_training, tmp_path, choices, whole, stop_at=13)


def test_invalid_options_raise_clear_errors(configure):
    with pytest.raises(ValueError, match="deviation must be a number above 0, got 0"):
        Ring(**RING | {"deviation": 0})
    with pytest.raises(ValueError, match="channels=2 and image_size=1, got 1 and 1"):
        Ring(**RING | {"channels": 1})
    with pytest.raises(ValueError, match="side must be a whole number of at least 1, got 0"):
        Grid(side=0, **GRID)
    with pytest.raises(ValueError, match="examples must be a whole number of at least 2, got 1"):
        Grid(**GRID | {"examples": 1})
    for word, message in (
        ("data.modes=0", "data.modes must be a whole number of at least 1, got 0"),
        ("data.radius=abc", "data.radius must be a number above 0, got abc"),
        ("data.examples=1", "data.examples must be a whole number of at least 2, got 1"),
    ):
        with pytest.raises(UserError, match=message):
            build(configure("data=ring", "model=points", word))
