"""Each objective against its formula in probabilities, computed in float64."""

import pytest
import torch

from gan.losses.adversarial import Minimax, NonSaturating

REAL = torch.tensor([-1.5, 0.0, 2.0, 4.0])
FAKE = torch.tensor([-3.0, -0.5, 0.25, 1.0])


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
def test_discriminator_ascends_the_value_function(loss):
    d_real, d_fake = REAL.double().sigmoid(), FAKE.double().sigmoid()
    value = d_real.log().mean() + (1 - d_fake).log().mean()
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(-value.item(), abs=1e-6)


def test_generators_objectives():
    d_fake = FAKE.double().sigmoid()
    assert Minimax().generator(FAKE).item() == pytest.approx((1 - d_fake).log().mean().item(), abs=1e-6)
    assert NonSaturating().generator(FAKE).item() == pytest.approx(-d_fake.log().mean().item(), abs=1e-6)


def test_value_at_equilibrium_is_minus_log_four():
    undecided = torch.zeros(8)  # D = 1/2 everywhere
    assert Minimax().discriminator(undecided, undecided).item() == pytest.approx(1.3862944, abs=1e-6)


def test_gradients_saturate_in_one_loss_only():
    """dL/dt is -D for the minimax loss and -(1 - D) for the other: D = sigmoid(-12) tells them apart."""
    d = torch.tensor(-12.0).sigmoid().item()
    for loss, expected in ((Minimax(), -d), (NonSaturating(), -(1 - d))):
        logits = torch.tensor([-12.0], requires_grad=True)
        loss.generator(logits).backward()
        assert logits.grad.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
def test_extreme_logits_stay_finite(loss, logit):
    logits = torch.tensor([logit], requires_grad=True)
    total = loss.discriminator(logits, logits) + loss.generator(logits)
    total.backward()
    assert total.isfinite()
    assert logits.grad.isfinite().all()
