"""What holds for every loss in ``conf/loss/``, found there and not listed here."""

import pytest
import torch

from gan.app.command_line import CONF
from gan.core.batch import Batch, Output
from gan.losses.base import Pair
from gan.runs.instantiate import part
from tests.conftest import composed

NAMES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))
#: losses of further outputs of D, of which no score alone is an example; each has a test of its own
OTHERS = {"catgan", "feature_matching", "no_game"}
SHIFT_INVARIANT = {"wasserstein", "relativistic", "relativistic_averaged"}
REAL = torch.tensor([0.3, 0.6, 0.8, 0.2])  # inside the targets of least squares
FAKE = torch.tensor([0.4, 0.7, 0.1, 0.5])


@pytest.fixture(scope="module", params=sorted(set(NAMES) - OTHERS))
def named(request):
    loss = part(composed(f"loss={request.param}"), "loss")
    if hasattr(loss, "k"):
        loss.k.fill_(0.5)  # BEGAN's starts at 0
    return request.param, loss


def pair(real, fake):
    """A pair of these scores; half as many codes, of one direction for each example."""
    return Pair(
        lambda batch: Output(logits=batch.images, features=torch.eye(len(batch.images))),
        Batch(images=real),
        Batch(images=fake),
    )


def gradients(objective, real, fake):
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()
    objective(pair(real, fake)).backward()
    return [torch.zeros_like(x) if x.grad is None else x.grad for x in (real, fake)]


def test_discriminator_raises_scores_of_real_examples_and_lowers_those_of_samples(named):
    _, loss = named
    of_real, of_fake = gradients(loss.discriminator, REAL, FAKE)
    assert of_real.sum() < 0
    assert of_fake.sum() > 0


def test_generator_raises_scores_of_samples(named):
    _, loss = named
    _, of_fake = gradients(loss.generator, REAL, FAKE)
    assert of_fake.sum() < 0


def test_scores_may_be_shifted_only_where_the_loss_depends_on_differences(named):
    name, loss = named
    before, after = (loss.discriminator(pair(REAL + shift, FAKE + shift)).item() for shift in (0.0, -3.0))
    assert (before == pytest.approx(after, abs=1e-6)) == (name in SHIFT_INVARIANT)


def test_objectives_do_not_depend_on_the_size_of_the_batch(named):
    name, loss = named
    for objective in (loss.discriminator, loss.generator):
        if name == "ebgan" and objective == loss.generator:
            continue  # the pulling-away term compares different examples: tests/losses/test_energy.py
        once, twice = objective(pair(REAL, FAKE)), objective(pair(REAL.repeat(2), FAKE.repeat(2)))
        assert once.item() == pytest.approx(twice.item(), abs=1e-6)
        whole, halves = gradients(objective, REAL.repeat(2), FAKE.repeat(2)), gradients(objective, REAL, FAKE)
        for a, b in zip(whole, halves, strict=True):
            assert torch.allclose(2 * a[:4], b, atol=1e-6)


def test_reports_are_detached_scalars_and_probabilities_lie_in_the_unit_interval(named):
    _, loss = named
    report = loss.report(pair(REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()))
    assert all(value.shape == () and not value.requires_grad for value in report.values())
    assert all(0 <= report[name] <= 1 for name in report if name.startswith(("D(", "rate/")))
    probability = loss.probability(Output(logits=torch.linspace(-30, 30, 61)))
    if probability is None:
        assert "D(x)" not in report
    else:
        assert (probability.diff() >= 0).all()
        assert probability[0] < 0.04
        assert probability[-1] > 0.93


def test_smoothing_is_never_on_by_itself(named):
    _, loss = named
    assert all(getattr(part, "smoothing", 0.0) == 0.0 for part in loss.modules())
