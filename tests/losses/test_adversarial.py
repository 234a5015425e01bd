"""Each loss against its formula in probabilities, computed in float64."""

import pytest
import torch

from gan.core.batch import Batch, Output
from gan.losses.adversarial import Minimax, NonSaturating
from gan.losses.base import Pair

REAL = torch.tensor([-1.5, 0.0, 2.0, 4.0])
FAKE = torch.tensor([-3.0, -0.5, 0.25, 1.0])


def pair(real, fake):
    """A pair whose logits are these."""
    return Pair(lambda batch: Output(logits=batch.images), Batch(images=real), Batch(images=fake))


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
def test_discriminator_loss_is_the_negative_value_function(loss):
    d_real, d_fake = REAL.double().sigmoid(), FAKE.double().sigmoid()
    value = d_real.log().mean() + (1 - d_fake).log().mean()
    assert loss.discriminator(pair(REAL, FAKE)).item() == pytest.approx(-value.item(), abs=1e-6)


def test_generator_losses_equal_their_formulas():
    d_fake = FAKE.double().sigmoid()
    assert Minimax().generator(pair(REAL, FAKE)).item() == pytest.approx((1 - d_fake).log().mean().item(), abs=1e-6)
    assert NonSaturating().generator(pair(REAL, FAKE)).item() == pytest.approx(-d_fake.log().mean().item(), abs=1e-6)


def test_discriminator_loss_at_equilibrium_is_log_four():
    undecided = torch.zeros(8)  # D = 1/2 everywhere
    assert Minimax().discriminator(pair(undecided, undecided)).item() == pytest.approx(1.3862944, abs=1e-6)


def test_only_the_minimax_gradient_saturates():
    """dL/dt is -D for the minimax loss and -(1 - D) for the other; they differ strongly at D = sigmoid(-12)."""
    d = torch.tensor(-12.0).sigmoid().item()
    for loss, expected in ((Minimax(), -d), (NonSaturating(), -(1 - d))):
        logits = torch.tensor([-12.0], requires_grad=True)
        loss.generator(pair(logits, logits)).backward()
        assert logits.grad.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
def test_extreme_logits_stay_finite(loss, logit):
    logits = torch.tensor([logit], requires_grad=True)
    total = loss.discriminator(pair(logits, logits)) + loss.generator(pair(logits, logits))
    total.backward()
    assert total.isfinite()
    assert logits.grad.isfinite().all()


def test_report_has_rates_and_mean_probabilities():
    real, fake = torch.tensor([2.0, 1.0, -1.0]), torch.tensor([-3.0, 4.0])
    report = Minimax().report(pair(real, fake))
    assert report["rate/true_positive"].item() == pytest.approx(2 / 3)
    assert report["rate/true_negative"].item() == pytest.approx(1 / 2)
    assert report["D(x)"].item() == pytest.approx(torch.sigmoid(real).mean().item())
    assert report["D(G(z))"].item() == pytest.approx(torch.sigmoid(fake).mean().item())
