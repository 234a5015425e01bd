"""Relativistic losses against their formulas."""

import pytest
import torch
from torch.nn.functional import softplus

from gan.app.overrides import check
from gan.core.batch import Batch, Output
from gan.losses.adversarial import Minimax, NonSaturating
from gan.losses.base import Pair
from gan.losses.energy import BoundaryEquilibrium
from gan.losses.hinge import Hinge
from gan.losses.least_squares import LeastSquares
from gan.losses.relativistic import Relativistic
from gan.losses.wasserstein import Wasserstein
from gan.runs.instantiate import part
from tests.conftest import composed

R, F = torch.tensor([1.0, -0.5, 2.0]), torch.tensor([0.5, 1.5, -1.0])


def pair(real=R, fake=F):
    return Pair(lambda batch: Output(logits=batch.images), Batch(images=real), Batch(images=fake))


def both(loss):
    return loss.discriminator(pair()).item(), loss.generator(pair()).item()


def test_paired_cross_entropy_is_one_softplus_of_the_difference():
    expected = softplus(F - R).mean().item(), softplus(R - F).mean().item()
    assert both(Relativistic(NonSaturating())) == pytest.approx(expected)
    assert both(Relativistic(Minimax())) == pytest.approx(expected)  # the base gives D's objective only


def test_averaged_cross_entropy():
    r, f = R - F.mean(), F - R.mean()
    expected = 0.5 * (softplus(-r) + softplus(f)).mean().item(), 0.5 * (softplus(r) + softplus(-f)).mean().item()
    assert both(Relativistic(NonSaturating(), averaged=True)) == pytest.approx(expected)


def test_averaged_hinge_and_least_squares():
    r, f = R - F.mean(), F - R.mean()
    hinge = 0.5 * ((1 - r).relu() + (1 + f).relu()).mean(), 0.5 * ((1 + r).relu() + (1 - f).relu()).mean()
    assert both(Relativistic(Hinge(), averaged=True)) == pytest.approx([x.item() for x in hinge])
    squares = 0.25 * ((r - 1) ** 2 + (f + 1) ** 2).mean(), 0.25 * ((r + 1) ** 2 + (f - 1) ** 2).mean()
    base = LeastSquares(real=1.0, fake=-1.0, generator=0.0)
    assert both(Relativistic(base, averaged=True)) == pytest.approx([x.item() for x in squares])


def test_paired_wasserstein_is_wasserstein():
    assert Relativistic(Wasserstein()).discriminator(pair()).item() == pytest.approx((F - R).mean().item())


def test_generator_moves_real_scores_too():
    real, fake = R.clone().requires_grad_(), F.clone().requires_grad_()
    Relativistic(NonSaturating()).generator(pair(real, fake)).backward()
    assert torch.allclose(fake.grad, -(R - F).sigmoid() / 3)
    assert torch.allclose(real.grad, (R - F).sigmoid() / 3)


@pytest.mark.parametrize("averaged", [False, True])
def test_inputs_stay_as_they_are(averaged):
    given = pair()
    Relativistic(NonSaturating(), averaged).discriminator(given)
    assert torch.equal(given.real_output.logits, R)
    assert torch.equal(given.fake_output.logits, F)


def test_separated_and_ordered():
    given = pair(torch.tensor([9.0, 0.0]), torch.tensor([1.0, 1.0]))
    report = Relativistic(NonSaturating()).report(given)
    assert report["rate/separated"].item() == 0.5
    assert report["rate/ordered"].item() == 0.5


@pytest.mark.parametrize("name", ["relativistic", "relativistic_averaged"])
@pytest.mark.parametrize(("base", "cls"), [("hinge", Hinge), ("wasserstein", Wasserstein), ("lsgan", LeastSquares)])
def test_base_is_chosen_on_the_command_line(name, base, cls):
    words = [f"loss={name}", f"loss@loss.base={base}", *(["loss.base.fake=-1"] if base == "lsgan" else [])]
    check(words, "train")
    loss = part(composed(*words), "loss")
    assert type(loss.base) is cls
    assert ("rate/separated" in loss.report(pair())) is (base == "hinge")


def test_separation_is_that_of_the_base():
    given = pair(torch.tensor([3.0, 0.0]), torch.tensor([0.0, 0.0]))
    assert Relativistic(Hinge()).report(given)["rate/separated"].item() == 0.5
    assert Relativistic(NonSaturating()).report(given)["rate/separated"].item() == 0


def test_energies_have_no_relativistic_form():
    with pytest.raises(ValueError, match="BoundaryEquilibrium is a loss of energies"):
        Relativistic(BoundaryEquilibrium())
