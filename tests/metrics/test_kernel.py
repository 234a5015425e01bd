"""The kernel distance against sums over pairs, its mean of zero and its standard error."""

import math

import numpy as np
import pytest
import torch

from gan.metrics.kernel import Kernel, kernel_distances
from tests.metrics.cases import case, points


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_pairs(a, b):
    """Equation 4 of the paper: pairs of one set without the point itself, all pairs across."""
    a, b = a.double().tolist(), b.double().tolist()

    def mean(pairs):
        return np.mean([(np.dot(x, y) / len(x) + 1) ** 3 for x, y in pairs])

    within = [mean([(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j]) for s in (a, b)]
    return sum(within) - 2 * mean([(x, y) for x in a for y in b])


@pytest.mark.parametrize(("rows", "others"), [(30, 30), (32, 47), (40, 30)])
def test_distances_equal_the_formula_on_disjoint_subsets(rows, others):
    a, b = draw(rows, 4), 0.5 + draw(others, 4, seed=1)
    expected = [by_pairs(a[i * 10 : i * 10 + 10], b[i * 10 : i * 10 + 10]) for i in range(3)]
    assert kernel_distances(a, b, 3).tolist() == pytest.approx(expected)


def test_distance_is_unbiased_and_its_standard_error_is_right():
    test = draw(40_000, 6, seed=1).split(100)
    measures = [Kernel()(case(points(a), points(b)))[0] for a, b in zip(draw(40_000, 6).split(100), test, strict=True)]
    values = np.array([m.value for m in measures])
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(len(values))
    assert (values < 0).any()
    claimed = math.sqrt(np.mean([m.standard_error**2 for m in measures]))
    assert claimed == pytest.approx(values.std(), rel=0.15)


def test_distance_grows_with_noise_collapse_and_shift():
    """Noise, collapse and a shift all raise it by many standard errors."""
    test, good = points(draw(500, 8)), draw(500, 8, seed=1)
    worse = [good + draw(500, 8, seed=2), good[:5].repeat(100, 1), good + 0.3]
    (floor,) = Kernel()(case(points(good), test))
    assert abs(floor.value) < 4 * floor.standard_error
    for samples in worse:
        (measure,) = Kernel()(case(points(samples), test))
        assert measure.value > floor.value + 4 * floor.standard_error
    assert Kernel.better == "lower"


def test_test_images_sorted_by_class_are_shuffled():
    """Sorted by class, each subset of test images would hold one class only."""
    classes = torch.arange(10.0).repeat_interleave(50)[:, None] - 4.5
    test = classes + 0.1 * draw(500, 2)
    samples = (classes + 0.1 * draw(500, 2, seed=1))[torch.randperm(500, generator=torch.Generator().manual_seed(2))]
    (measure,) = Kernel()(case(points(samples), points(test)))
    assert abs(measure.value) < 3 * measure.standard_error
    assert kernel_distances(samples, test, 10).mean() > 10 * measure.standard_error
    assert measure.details["subset_size"] == 50


def test_too_few_images_or_subsets_are_refused():
    with pytest.raises(ValueError, match="19 images do not fill 10 subsets"):
        kernel_distances(draw(19, 3), draw(40, 3), 10)
    assert len(kernel_distances(draw(20, 3), draw(40, 3), 10)) == 10
    with pytest.raises(ValueError, match="subsets must be a whole number of at least 2, got 1"):
        Kernel(subsets=1)
