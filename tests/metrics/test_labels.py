"""Metrics of classes against counts by hand."""

import itertools
from types import SimpleNamespace

import pytest
import torch

from gan.core.batch import Output
from gan.metrics.base import Case
from gan.metrics.frechet import frechet_distance
from gan.metrics.labels import ClassAccuracy, ClassFrechet, ClassifierError, ClusterError, MatchedError, matched
from tests.metrics.cases import case, certain, classified, points


def with_labels(images, labels):
    images.labels = labels
    return images


def test_accuracy_counts_samples_in_the_requested_class():
    guesses, wanted = torch.tensor([0, 1, 1, 2, 0]), torch.tensor([0, 1, 2, 2, 2])
    samples = with_labels(classified(certain(guesses, 3)), wanted)
    (measure,) = ClassAccuracy()(case(samples, samples))
    assert measure.value == pytest.approx(3 / 5)
    assert measure.standard_error == pytest.approx((0.6 * 0.4 / 5) ** 0.5)
    assert measure.found["by_class"] == [1, 1, pytest.approx(1 / 3)]


def test_distance_by_class_is_the_mean_of_those_of_the_classes():
    torch.manual_seed(0)
    rows, labels = torch.randn(60, 3, dtype=torch.float64).float(), torch.arange(60) % 3
    real = torch.randn(60, 3) + labels[:, None]
    (measure,) = ClassFrechet()(case(with_labels(points(rows), labels), with_labels(points(real), labels)))
    each = [frechet_distance(rows[labels == k], real[labels == k]) for k in range(3)]
    assert measure.value == pytest.approx(sum(each) / 3)
    assert measure.found["by_class"] == pytest.approx(each)


def test_fewer_samples_raise_the_distance_by_class():
    torch.manual_seed(0)
    labels = torch.arange(3000) % 3
    rows, real = (with_labels(points(torch.randn(3000, 3)), labels) for _ in range(2))
    few = with_labels(points(rows.pixels[:90].flatten(1)), labels[:90])
    (measure,), (of_few,) = (ClassFrechet()(case(samples, real)) for samples in (rows, few))
    assert (of_few.value > 4 * measure.value) == ClassFrechet.biased


def test_images_without_labels_are_refused():
    samples = points(torch.randn(6, 2))
    with pytest.raises(ValueError, match="the images have no labels"):
        ClassFrechet()(case(samples, samples))
    few = with_labels(points(torch.randn(6, 2)), torch.tensor([0, 0, 0, 0, 0, 1]))
    with pytest.raises(ValueError, match="class 1 has 1 samples and 1 test images"):
        ClassFrechet()(case(few, few))


def test_matching_is_the_best_of_all_permutations():
    torch.manual_seed(1)
    clusters, labels = torch.randint(4, (200,)), torch.randint(4, (200,))
    best = min(
        (torch.tensor(order)[clusters] != labels).double().mean().item() for order in itertools.permutations(range(4))
    )
    assert matched(clusters, labels).value == pytest.approx(best)


def test_renamed_classes_have_no_error_and_further_clusters_do():
    labels = torch.arange(30) % 3
    assert matched((labels + 1) % 3, labels).value == 0
    split = torch.where((labels == 0) & (torch.arange(30) < 15), 3, labels)  # half of class 0 is a cluster of its own
    assert matched(split, labels).value == pytest.approx(5 / 30)


GUESSES = torch.tensor([[0.0, 1, 7], [2, 1, -7], [3, 0, 9], [1, 0, 0]])


class Model:
    def __init__(self, output, categorical=()):
        self.describe = lambda images, generator: output
        self.method = SimpleNamespace(latent=SimpleNamespace(categorical=categorical))


@pytest.mark.parametrize(
    ("metric", "model", "value"),
    [
        (ClassifierError(), Model(Output(classes=certain(torch.tensor([0, 1, 1, 1]), 2))), 0.25),
        (ClusterError(), Model(Output(classes=certain(torch.tensor([1, 0, 0, 0]), 2))), 0.25),
        (MatchedError(), Model(Output(codes=GUESSES), (2,)), 0.25),  # the last column is another code
    ],
)
def test_errors_of_a_discriminator_on_test_images(metric, model, value):
    test = with_labels(points(torch.zeros(4, 2)), torch.tensor([0, 0, 1, 1]))
    nothing = points(torch.zeros(0, 1))
    (measure,) = metric(Case(nothing, nothing, nothing, test, [], model))
    assert measure.value == pytest.approx(value)


def test_codes_without_categories_have_no_matching():
    test = with_labels(points(torch.zeros(4, 2)), torch.tensor([0, 0, 1, 1]))
    with pytest.raises(ValueError, match=r"latent\.categorical is empty"):
        MatchedError()(Case(test, test, test, test, [], Model(Output())))
