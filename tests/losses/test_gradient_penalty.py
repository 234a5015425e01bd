"""The gradient penalty against critics whose gradients are known."""

import pytest
import torch
from torch import nn

from gan.core.batch import Batch, Output
from gan.core.random import RandomRows
from gan.losses.base import Pair
from gan.losses.gradient_penalty import Dragan, GradientPenalty

SHAPE = (1, 3, 3)


class Linear(nn.Module):
    """f(x) = w · x, whose gradient is w everywhere."""

    def __init__(self, norm):
        super().__init__()
        self.w = nn.Parameter(torch.full((9,), norm / 3))

    def forward(self, batch):
        return Output(logits=batch.images.flatten(1) @ self.w)


class Quadratic(nn.Module):
    """f(x) = a/2 · ‖x‖², so ∇f = a·x."""

    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))
        self.seen = []

    def forward(self, batch):
        self.seen.append(batch)
        return Output(logits=0.5 * self.a * batch.images.square().flatten(1).sum(1))


def pair(critic, count=5, seed=0):
    images = torch.rand(2, count, *SHAPE, generator=torch.Generator().manual_seed(7))
    random = RandomRows(generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(count)
    return Pair(critic, Batch(images=images[0], labels=labels), Batch(images=images[1], labels=labels), random)


@pytest.mark.parametrize(("norm", "one_sided", "expected"), [(3.0, False, 4), (0.5, False, 0.25), (0.5, True, 0)])
def test_penalty_of_linear_critics(norm, one_sided, expected):
    critic = Linear(norm)
    penalty = GradientPenalty(weight=10.0, one_sided=one_sided).discriminator(pair(critic))
    assert penalty.item() == pytest.approx(10 * expected, abs=1e-4)
    penalty.backward()  # along w / ‖w‖ the slope is 2 · weight · (‖w‖ - 1), where it counts
    slope = 0 if one_sided else 20 * (norm - 1)
    assert torch.allclose(critic.w.grad, torch.full((9,), slope / 3), atol=1e-3)


def test_gp_norm_and_epsilon_are_per_example():
    critic = Quadratic(2.0)
    given = pair(critic)
    penalty = GradientPenalty(weight=1.0).discriminator(given)
    (seen,) = critic.seen
    epsilon = torch.rand(5, generator=torch.Generator().manual_seed(0)).view(-1, 1, 1, 1)
    assert torch.allclose(seen.images, epsilon * given.real.images + (1 - epsilon) * given.fake.images, atol=1e-6)
    assert seen.labels.tolist() == list(range(5))
    norms = 2 * seen.images.flatten(1).norm(dim=1)
    assert penalty.item() == pytest.approx((norms - 1).square().mean().item(), rel=1e-5)
    assert not given.real.images.requires_grad


def test_two_processes_draw_the_epsilons_of_one():
    whole = RandomRows(generator=torch.Generator().manual_seed(3)).uniform(6)
    shares = [RandomRows(rank=r, world=2, generator=torch.Generator().manual_seed(3)).uniform(3) for r in (0, 1)]
    assert torch.equal(torch.stack(shares, 1).flatten(), whole)


def test_zero_critic_gradient_gives_finite_weight_gradients():
    critic = Linear(0.0)
    GradientPenalty().discriminator(pair(critic)).backward()
    assert critic.w.grad.isfinite().all()


def test_dragan_perturbs_each_value_of_the_real_images():
    critic = Quadratic(2.0)
    given = pair(critic)
    penalty = Dragan(weight=3.0, deviation=0.1).discriminator(given)
    (seen,) = critic.seen
    delta = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(seen.images, given.real.images + 0.1 * delta, atol=1e-6)
    assert seen.labels.tolist() == list(range(5))
    norms = 2 * seen.images.flatten(1).norm(dim=1)
    assert penalty.item() == pytest.approx(3 * (norms - 1).square().mean().item(), rel=1e-5)
    penalty.backward()  # the norm is a · ‖x‖
    slope = (6 * (norms - 1) * norms / 2).mean().item()
    assert critic.a.grad.item() == pytest.approx(slope, rel=1e-4)
