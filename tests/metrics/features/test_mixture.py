"""The mode of a point and whether it is good: by hand, by Bayes' rule, and through the metric."""

import math

import pytest
import torch

from gan.core.errors import UserError
from gan.data.mixture import Grid, Ring
from gan.metrics import Modes
from gan.metrics.base import Case, Images
from gan.metrics.features import Components

COMMON = {"batch_size": 4, "image_size": 1, "channels": 2, "classes": 0, "seed": 1, "examples": 2000}


def prepared(data):
    net = Components()
    net.prepare(data)
    return net


@pytest.fixture
def ring():
    return Ring(deviation=0.01, **COMMON)


def points(*places):
    return torch.tensor(places)[:, :, None, None]


def test_good_points_lie_within_three_deviations_of_a_center(ring):
    # On the diagonal both coordinates are off by less than three deviations, the distance is more.
    view = prepared(ring)(
        points((1.0, 0.0), (1.0299, 0.0), (1.0301, 0.0), (1.025, 0.025), (0.02, 1.02), (0.0, 0.0), (math.nan, 0.0))
    )
    assert view.good.tolist() == [True, True, False, False, True, False, False]
    assert view.log_probabilities[:5].argmax(1).tolist() == [0, 0, 0, 0, 2]
    assert torch.equal(
        view.features[:5], points((1, 0), (1.0299, 0), (1.0301, 0), (1.025, 0.025), (0.02, 1.02))[..., 0, 0]
    )


def test_log_probabilities_follow_bayes_rule():
    data = Grid(side=3, spacing=1.0, deviation=0.4, **COMMON)
    x = torch.randn(50, 2, 1, 1)
    density = torch.distributions.Normal(data.centres.double(), 0.4)
    joint = density.log_prob(x.flatten(1).double()[:, None]).sum(2)  # (50, 9), up to the equal weights
    expected = joint - joint.exp().sum(1, keepdim=True).log()
    assert torch.allclose(prepared(data)(x).log_probabilities.double(), expected, atol=1e-5)


@pytest.mark.parametrize("data", [Ring(deviation=0.01, **COMMON), Grid(deviation=0.05, **COMMON)])
def test_real_points_are_assigned_to_their_own_mode(data):
    data.setup()
    test = data.splits["test"]
    view = prepared(data)(test.images)
    assert torch.equal(view.log_probabilities.argmax(1), test.labels)
    # P(distance > 3 deviations) = exp(-9/2) in the plane; six standard errors of 2,000 points.
    assert view.good.double().mean().item() == pytest.approx(1 - math.exp(-4.5), abs=6 * math.sqrt(0.011 / 2000))


def test_modes_are_counted_on_good_points_only(ring):
    """Three good points on mode 0, one on mode 2, and one outside mode 4."""
    samples = Images(points((1.0, 0.0), (1.01, 0.0), (0.99, 0.0), (0.0, 1.01), (-1.1, 0.0)), prepared(ring))
    case = Case(samples, samples, samples, samples, [])
    found, divergence, good = Modes()(case)
    assert (found.name, found.value, found.unit) == ("modes_found", 2, "of 8")
    assert divergence.value == pytest.approx(0.75 * math.log(0.75 * 8) + 0.25 * math.log(0.25 * 8))
    assert good.value == pytest.approx(4 / 5)
    assert Modes(least=2)(case)[0].value == 1


def test_name_differs_between_mixtures(ring):
    names = {prepared(ring).name, prepared(Ring(deviation=0.02, **COMMON)).name}
    names |= {prepared(Ring(radius=2.0, deviation=0.01, **COMMON)).name, prepared(Grid(deviation=0.01, **COMMON)).name}
    assert len(names) == 4


def test_data_that_is_no_mixture_is_refused(configure):
    from gan.runs.build import part

    digits = part(configure(), "data")
    digits.setup()
    with pytest.raises(UserError, match=r"data=ring, data=grid\), not Digits: .*; take features=pixels"):
        Components().prepare(digits)
