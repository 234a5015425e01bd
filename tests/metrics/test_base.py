"""Features are computed once, in batches, and metrics have no side effects."""

import pytest
import torch

from gan import metrics
from gan.metrics import base
from gan.metrics.base import Images, Metric
from gan.metrics.features.base import OUTPUTS, View
from tests.metrics.cases import case

EVERY = [getattr(metrics, name) for name in metrics.__all__]
#: those of images alone; metrics of labels and of a model are in test_labels.py
ALL = [metric for metric in EVERY if metric.needs <= OUTPUTS]


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


class CountingExtractor:
    """A feature extractor that records the sizes of its batches."""

    def __init__(self):
        self.sizes = []

    def __call__(self, images):
        assert images.dtype == torch.float32
        self.sizes.append(len(images))
        rows = images.flatten(1)
        return View(rows, rows.log_softmax(1), rows[:, 0] < 0.9)


def test_features_are_extracted_once_in_batches(monkeypatch):
    monkeypatch.setattr(base, "BATCH", 20)
    extract, pixels = CountingExtractor(), draw(50, 1, 2, 2)
    images = Images(pixels, extract)
    assert (len(images), extract.sizes) == (50, [])
    assert torch.equal(images.features, pixels.flatten(1))
    assert torch.equal(images.log_probabilities, pixels.flatten(1).log_softmax(1))
    assert torch.equal(images.view.good, pixels[:, 0, 0, 0] < 0.9)
    assert extract.sizes == [20, 20, 10]


def test_uint8_images_are_scaled_to_the_unit_interval():
    stored = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    images = Images(stored, CountingExtractor())
    assert images.pixels.flatten().tolist() == pytest.approx([0, 0.2, 1])
    assert torch.equal(images.features, images.pixels.flatten(1))
    whole = draw(3, 1, 1, 1)
    assert Images(whole, CountingExtractor()).pixels is whole


def test_features_require_no_gradient():
    weight = torch.ones((), requires_grad=True)
    assert not Images(draw(3, 1, 2, 2), lambda images: View(images.flatten(1) * weight)).features.requires_grad


def test_distances_to_each_other_set_are_computed_once(monkeypatch):
    calls = []
    nearest = base.nearest_distances
    monkeypatch.setattr(base, "nearest_distances", lambda a, b: calls.append(1) or nearest(a, b))
    a, b, c = (Images(draw(9, 1, 2, 2, seed=i), CountingExtractor()) for i in range(3))
    brute = torch.cdist(a.features.double(), b.features.double()).amin(1)
    assert torch.allclose(a.distances_to(b), brute)
    assert a.distances_to(b) is a.distances_to(b)
    assert len(calls) == 1
    assert not torch.equal(a.distances_to(c), a.distances_to(b))
    assert len(calls) == 2


@pytest.mark.parametrize("kind", ALL)
def test_metric_is_deterministic_and_has_no_side_effects(kind, monkeypatch):
    monkeypatch.delattr(torch.cuda, "manual_seed_all")  # what torch.manual_seed calls, GPU or not
    pixels = [draw(60, 1, 2, 2, seed=i) for i in range(3)]
    kept = [p.clone() for p in pixels]
    before = torch.get_rng_state()
    first, second = (kind()(case(*(Images(p, CountingExtractor()) for p in pixels))) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(p, k) for p, k in zip(pixels, kept, strict=True))


@pytest.mark.parametrize("kind", ALL)
def test_metric_declares_its_needs_and_returns_distinct_names(kind):
    assert issubclass(kind, Metric)
    assert kind.needs <= {"features", "log_probabilities", "good"}
    assert kind.floor in ("train", "valid")
    assert kind.better in ("lower", "higher", None)
    names = [m.name for m in kind()(case(*(Images(draw(60, 1, 2, 2, seed=i), CountingExtractor()) for i in range(3))))]
    assert len(set(names)) == len(names) > 0


def test_score_names_are_unique_over_all_metrics():
    images = [Images(draw(60, 1, 2, 2, seed=i), CountingExtractor()) for i in range(3)]
    names = [m.name for kind in ALL for m in kind()(case(*images))]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", ALL)
def test_metric_uses_only_what_it_declares_in_needs(kind):
    """The extractor returns only what the metric needs."""

    def extract(images):
        rows = images.flatten(1)
        return View(rows, rows.log_softmax(1) if "log_probabilities" in kind.needs else None)

    kind()(case(*(Images(draw(60, 1, 2, 2, seed=i), extract) for i in range(3))))


def test_radii_are_computed_once_for_each_k(monkeypatch):
    calls = []
    radii = base.neighbour_radii
    monkeypatch.setattr(base, "neighbour_radii", lambda points, k: calls.append(k) or radii(points, k))
    images = Images(draw(9, 1, 2, 2), CountingExtractor())
    brute = torch.cdist(images.features.double(), images.features.double()).sort(1).values
    for k in (2, 3, 2):
        assert torch.allclose(images.radii(k), brute[:, k])
    assert calls == [2, 3]
