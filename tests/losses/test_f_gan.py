"""Every f-divergence against its definition: f, its conjugate by brute force, and the bound on two Gaussians."""

import math

import pytest
import torch

from gan.core.batch import Batch, Output
from gan.losses import f_gan
from gan.losses.adversarial import Minimax, NonSaturating
from gan.losses.base import Pair

F = {
    f_gan.KullbackLeibler: lambda u: u * u.log(),
    f_gan.ReverseKL: lambda u: -u.log(),
    f_gan.Pearson: lambda u: (u - 1) ** 2,
    f_gan.Neyman: lambda u: (1 - u) ** 2 / u,
    f_gan.SquaredHellinger: lambda u: (u.sqrt() - 1) ** 2,
    f_gan.Jeffrey: lambda u: (u - 1) * u.log(),
    f_gan.JensenShannon: lambda u: u * u.log() - (u + 1) * ((1 + u) / 2).log(),
    f_gan.OriginalGAN: lambda u: u * u.log() - (u + 1) * (u + 1).log(),
}
AT_EQUALITY = {f_gan.OriginalGAN: -math.log(4)}
EVERY = pytest.mark.parametrize("divergence", F, ids=lambda cls: cls.__name__)


def pair(real, fake):
    return Pair(lambda batch: Output(logits=batch.images), Batch(images=real), Batch(images=fake))


def test_every_class_of_the_module_is_tested():
    classes = {v for v in vars(f_gan).values() if isinstance(v, type) and issubclass(v, f_gan.FDivergence)}
    assert classes - {f_gan.FDivergence} == set(F)


@EVERY
def test_conjugate_is_the_supremum(divergence):
    """f*(t) = sup over u > 0 of u t - f(u), by a fine grid of u, at t = g(v)."""
    u = torch.logspace(-6, 6, 400_001, dtype=torch.float64)
    v = torch.tensor([-1.5, -0.3, 0.0, 0.4, 1.2], dtype=torch.float64)
    t = divergence().activation(v)
    supremum = (u * t[:, None] - F[divergence](u)).max(1).values
    assert torch.allclose(divergence().conjugate(v), supremum, atol=1e-6)


@EVERY
def test_log_ratio_inverts_the_derivative_of_f(divergence):
    v = torch.tensor([-1.5, -0.3, 0.0, 0.4, 1.2], dtype=torch.float64)
    u = divergence().log_ratio(v).exp().requires_grad_()
    (slope,) = torch.autograd.grad(F[divergence](u).sum(), u)
    assert torch.allclose(slope, divergence().activation(v), atol=1e-9)


@EVERY
def test_bound_is_tight_for_the_best_discriminator_on_two_gaussians(divergence):
    """E_p[T] - E_q[f*(T)] at T = f'(p/q) is ∫ q f(p/q), and less for any other T; integrals on a grid."""
    x = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    p, q = (torch.distributions.Normal(m, s).log_prob(x).exp() for m, s in ((0.3, 1.0), (0.0, 1.1)))
    dx = x[1] - x[0]
    exact = (q * F[divergence](p / q)).sum() * dx
    # the v of the best discriminator, by bisection of its increasing log ratio
    low, high = torch.full_like(x, -400.0), torch.full_like(x, 400.0)
    for _ in range(80):
        middle = (low + high) / 2
        below = divergence().log_ratio(middle) < (p / q).log()
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    game = divergence()

    def bound(v):
        return ((p * game.activation(v) - q * game.conjugate(v)).sum() * dx).item()

    assert bound(low) == pytest.approx(exact.item(), abs=1e-5)
    assert bound(low + 0.05) < exact.item() - 1e-5
    assert bound(low - 0.05) < exact.item() - 1e-5


@EVERY
def test_losses_are_the_bound_and_vanish_at_equality(divergence):
    game = divergence()
    real, fake = torch.tensor([0.2, -0.4]), torch.tensor([0.1, 0.5, -0.3])
    expected = game.conjugate(fake).mean() - game.activation(real).mean()
    assert game.discriminator(pair(real, fake)).item() == pytest.approx(expected.item())
    assert game.generator(pair(real, fake)).item() == pytest.approx(-game.activation(fake).mean().item())
    saturating = divergence(saturating=True).generator(pair(real, fake))
    assert saturating.item() == pytest.approx(-game.conjugate(fake).mean().item())
    equal = torch.linspace(-3, 3, 6001).double()
    (index,) = torch.where(game.log_ratio(equal).abs() == game.log_ratio(equal).abs().min())
    best = equal[index]
    bound = -game.discriminator(pair(best, best)).item()
    assert bound == pytest.approx(AT_EQUALITY.get(divergence, 0.0), abs=1e-5)
    assert game.probability(Output(logits=best)).item() == pytest.approx(0.5, abs=1e-3)


def test_the_divergence_of_2014_is_the_minimax_game():
    real, fake = torch.randn(5), torch.randn(5)
    for loss, other in ((f_gan.OriginalGAN(saturating=True), Minimax()), (f_gan.OriginalGAN(), NonSaturating())):
        for player in ("discriminator", "generator"):
            mine, theirs = (getattr(game, player)(pair(real, fake)).item() for game in (loss, other))
            assert mine == pytest.approx(theirs, abs=1e-6)


def test_omega_solves_its_equation_with_derivatives_of_two_orders():
    y = torch.tensor([-100.0, -20, -1, 0, 0.5, 1, 2, 10, 100, 1e4], dtype=torch.float64)
    w = f_gan.omega(y)
    assert torch.allclose(w + w.log(), y, rtol=1e-12, atol=1e-10)
    inner = y[2:8].clone().requires_grad_()
    assert torch.autograd.gradcheck(f_gan.omega, (inner,))
    assert torch.autograd.gradgradcheck(f_gan.omega, (inner,))
