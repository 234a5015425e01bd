"""Every metric on digits with the packaged classifier: real ones, noisy ones, one class, copies of a few."""

import pytest
import torch

from gan import metrics
from gan.core.images import scale
from gan.data.digits import Digits
from gan.evaluation.reference import load_reference
from gan.metrics.features import Shipped
from gan.metrics.features.base import OUTPUTS

CHOSEN = 390  # images of each kind
#: metrics of images alone
ALONE = [name for name in metrics.__all__ if getattr(metrics, name).needs <= OUTPUTS]


@pytest.fixture(scope="module")
def reference():
    data = Digits(batch_size=64, image_size=8, channels=1, classes=10, seed=1)
    data.setup()
    return load_reference(data, Shipped("digits"), torch.device("cpu"), [metrics.Frechet()])


@pytest.fixture(scope="module")
def scores(reference):
    """Each metric's scores for each kind of samples: ``scores["noisy"]["precision"]``."""
    data = reference.data
    generator = torch.Generator().manual_seed(0)
    train, labels = scale(data.splits["train"].images), data.splits["train"].labels
    real = train[torch.randperm(len(train), generator=generator)[:CHOSEN]]
    kinds = {
        "real": real,
        "noisy": (real + 0.3 * torch.randn(real.shape, generator=generator)).clamp(0, 1),
        "one class": train[labels == 3],
        "few": real[:10].repeat(CHOSEN // 10, 1, 1, 1),
        "new": scale(data.splits["valid"].images),
    }
    every = [getattr(metrics, name)() for name in ALONE]
    return {
        kind: {
            row.measure.name: row.measure
            for metric in every
            for row in reference.measure(metric, kind, reference.see(x))
        }
        for kind, x in kinds.items()
    }


BETTER = {"lower": -1, "higher": 1}
OF_VARIETY = [
    ("frechet_distance", "lower", 50),
    ("kernel_distance", "lower", 1),
    ("inception_score", "higher", 1),
    ("recall", "higher", 0.5),
    ("coverage", "higher", 0.5),
    ("class_divergence", "lower", 0.2),
    ("mode_divergence", "lower", 0.2),
    ("modes_found", "higher", 2),
    ("parzen_log_likelihood", "higher", 20),
    ("support_size", "higher", 5000),
]
OF_QUALITY = [
    ("frechet_distance", "lower", 20),
    ("kernel_distance", "lower", 0.5),
    ("inception_score", "higher", 1),
    ("precision", "higher", 0.2),
    ("density", "higher", 0.5),
    ("recall", "higher", 0.1),
    ("coverage", "higher", 0.3),
    ("class_divergence", "lower", 0.02),
    ("mode_divergence", "lower", 0.02),
    ("parzen_log_likelihood", "higher", 10),
]


def worse_by(scores, kind, name, better):
    return (scores["real"][name].value - scores[kind][name].value) * BETTER[better]


@pytest.mark.parametrize("kind", ["one class", "few"])
@pytest.mark.parametrize(("name", "better", "least"), OF_VARIETY)
def test_score_gets_worse_when_variety_is_lost(scores, kind, name, better, least):
    assert worse_by(scores, kind, name, better) > least / (2 if kind == "few" else 1)


@pytest.mark.parametrize(("name", "better", "least"), OF_QUALITY)
def test_score_gets_worse_with_noise(scores, name, better, least):
    assert worse_by(scores, "noisy", name, better) > least


@pytest.mark.parametrize("kind", ["one class", "few"])
def test_precision_and_density_ignore_lost_variety(scores, kind):
    assert scores[kind]["precision"].value > scores["real"]["precision"].value - 0.05
    assert scores[kind]["density"].value > scores["real"]["density"].value - 0.1


def test_memorization_separates_copies_new_images_and_noise(scores):
    values = {kind: found["memorization"].value for kind, found in scores.items()}
    assert min(values[kind] for kind in ("real", "one class", "few")) > 0.999  # training images
    assert values["new"] == pytest.approx(0.5, abs=3 * scores["new"]["memorization"].standard_error)
    assert values["noisy"] < 0.2


def test_support_size_of_ten_copied_images_is_ten(scores):
    assert scores["few"]["support_size"].value == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("name", ["Frechet", "ClassHistogram", "Kernel"])
def test_fewer_samples_raise_the_distances_that_are_biased(reference, name):
    """For real images: parts of 30 against all of them, in standard errors over the parts."""
    metric = getattr(metrics, name)()
    images = reference.data.splits["train"].images[:CHOSEN]

    def distance(part):
        return reference.measure(metric, "real", reference.see(scale(part)))[0].measure.value

    parts = torch.tensor([distance(part) for part in images.split(30)])
    error = parts.std() / len(parts) ** 0.5
    assert (parts.mean() > distance(images) + 4 * error) == metric.biased


def test_every_metric_that_ranks_has_a_tested_direction():
    """For the first score of each metric, which selects checkpoints."""
    directions = {name: better for name, better, _ in OF_VARIETY + OF_QUALITY}
    first = ["frechet_distance", "kernel_distance", "inception_score", "precision", "density"]
    first += ["class_divergence", "modes_found", "parzen_log_likelihood", "support_size"]
    order = ["Frechet", "Kernel", "InceptionScore", "PrecisionRecall", "DensityCoverage"]
    order += ["ClassHistogram", "Modes", "Parzen", "Birthday"]
    assert {name: getattr(metrics, name).better for name in order} == {
        name: directions[number] for name, number in zip(order, first, strict=True)
    }
    assert set(ALONE) - set(order) == {"Memorization", "Vendi"}
