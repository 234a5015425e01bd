"""Metrics of classes: of samples that were requested by class, and of a discriminator that classifies."""

import math

import torch
from torch import Tensor

from gan.metrics.base import Case, Images, Measure, Metric
from gan.metrics.frechet import frechet_distance

LEAST = 2  # images of a class for which a covariance exists


class ClassAccuracy(Metric):
    """Share of samples that the feature extractor's classifier puts in the class with which they were requested.

    The floor is its accuracy on real images with their labels.
    """

    needs, better = frozenset({"log_probabilities", "labels"}), "higher"

    def __call__(self, case: Case) -> list[Measure]:
        labels, guesses = known(case.samples), case.samples.log_probabilities.argmax(1)
        right = (guesses == labels).double()
        by_class = [float(right[labels == number].mean()) for number in labels.unique().tolist()]
        return [share("class_accuracy", right, {"by_class": by_class})]


class ClassFrechet(Metric):
    """The mean over classes of the Fréchet distance between a class's samples and its test images."""

    needs, better, biased = frozenset({"features", "labels"}), "lower", True

    def least_images(self) -> dict[str, int]:
        return {"class": LEAST}

    def __call__(self, case: Case) -> list[Measure]:
        labels, of_test = known(case.samples), known(case.test)
        values = []
        for number in of_test.unique().tolist():
            some, real = case.samples.features[labels == number], case.test.features[of_test == number]
            if min(len(some), len(real)) < LEAST:
                raise ValueError(f"class {number} has {len(some)} samples and {len(real)} test images; it needs 2")
            values.append(frechet_distance(some, real))
        mean = sum(values) / len(values)
        return [
            Measure("class_frechet_distance", mean, "", None, {"test_images": len(case.test)}, {"by_class": values})
        ]


class ClassifierError(Metric):
    """Share of test images that D's class logits put in a wrong class: the error of semi-supervised learning."""

    needs, better = frozenset({"classes"}), "lower"

    def __call__(self, case: Case) -> list[Measure]:
        labels = known(case.test)
        wrong = (case.model.describe(case.test.pixels, case.generator).classes.argmax(1) != labels.cpu()).double()
        return [share("classifier_error", wrong, {"wrong": int(wrong.sum())})]


class MatchedError(Metric):
    """Share of test images outside the class to which their cluster is matched, the best one-to-one matching.

    Clusters are the values of the first categorical code that D guesses (Chen et al. 2016, "InfoGAN", section 7.2).
    Clusters beyond the number of classes are matched to none.
    """

    needs, better = frozenset({"codes"}), "lower"

    def __call__(self, case: Case) -> list[Measure]:
        categorical = case.model.method.latent.categorical
        if not categorical:
            raise ValueError("latent.categorical is empty: there is no code whose values could be classes")
        clusters = case.model.describe(case.test.pixels, case.generator).codes[:, : categorical[0]].argmax(1)
        return [matched(clusters, known(case.test).cpu())]


class ClusterError(Metric):
    """As :class:`MatchedError`, for the classes that D has found without labels, as in the categorical GAN."""

    needs, better = frozenset({"classes"}), "lower"

    def __call__(self, case: Case) -> list[Measure]:
        clusters = case.model.describe(case.test.pixels, case.generator).classes.argmax(1)
        return [matched(clusters, known(case.test).cpu())]


def matched(clusters: Tensor, labels: Tensor) -> Measure:
    """The matched error of clusters int64 (N,) and classes int64 (N,)."""
    from scipy.optimize import linear_sum_assignment  # a late import: it takes time in every run

    table = torch.zeros(int(clusters.max()) + 1, int(labels.max()) + 1, dtype=torch.int64)
    table.index_put_((clusters, labels), torch.ones_like(labels), accumulate=True)
    rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
    class_of = torch.full((len(table),), -1)
    class_of[torch.from_numpy(rows)] = torch.from_numpy(columns)
    return share("matched_error", (class_of[clusters] != labels).double(), {"class_of_cluster": class_of.tolist()})


def known(images: Images) -> Tensor:
    """The labels of images, int64 (N,); raises ValueError if any is unknown."""
    if images.labels is None or bool((images.labels < 0).any()):
        raise ValueError("the images have no labels")
    return images.labels


def share(name: str, hits: Tensor, found: dict) -> Measure:
    """The mean of hits, 0 or 1, float64 (N,), with its standard error over images."""
    value = float(hits.mean())
    error = math.sqrt(value * (1 - value) / len(hits))
    return Measure(name, value, "", error, {"standard_error_over": "images"}, found)
