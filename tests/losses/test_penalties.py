"""R1 for a discriminator whose gradient is known."""

import math

import pytest
import torch
from torch import nn

from gan.core.batch import Batch, Output
from gan.losses.base import Pair
from gan.losses.penalties import R1, R2
from gan.networks.mlp import Discriminator
from gan.optim.schedules import Cosine
from gan.runs.build import build
from tests.test_conf import BARE


class Quadratic(nn.Module):
    """t(x) = a/2 · ‖x‖², so ∇t = a·x."""

    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, batch):
        return Output(logits=0.5 * self.a * batch.images.square().flatten(1).sum(1))


def test_r1_is_half_the_mean_squared_gradient_norm_at_real_images():
    discriminator, real, fake = Quadratic(3.0), torch.rand(5, 1, 4, 4), torch.rand(5, 1, 4, 4)
    penalty = R1(weight=2.0).discriminator(Pair(discriminator, Batch(images=real), Batch(images=fake)))
    expected = 0.5 * 2.0 * 9 * real.square().flatten(1).sum(1).mean()
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-6)
    penalty.backward()  # d/da of a² is 2a
    assert discriminator.a.grad.item() == pytest.approx(2 * expected.item() / 3, rel=1e-5)
    assert not real.requires_grad


def test_r2_is_r1_at_samples():
    discriminator, real, fake = Quadratic(3.0), torch.rand(5, 1, 4, 4), torch.rand(5, 1, 4, 4)
    at_samples = R2(weight=2.0).discriminator(Pair(discriminator, Batch(images=real), Batch(images=fake)))
    at_images = R1(weight=2.0).discriminator(Pair(discriminator, Batch(images=fake), Batch(images=real)))
    assert at_samples.item() == pytest.approx(at_images.item(), rel=1e-6)
    assert at_samples.item() == pytest.approx(9 * fake.square().flatten(1).sum(1).mean().item(), rel=1e-6)
    at_samples.backward()
    assert discriminator.a.grad.item() == pytest.approx(2 * at_samples.item() / 3, rel=1e-5)
    assert not fake.requires_grad


def test_joint_pass_gives_the_penalties_and_gradients_of_separate_passes():
    torch.manual_seed(0)
    network = Discriminator((1, 4, 4), [32, 16])
    real, fake = (Batch(images=torch.rand(6, 1, 4, 4), labels=torch.arange(6)) for _ in range(2))
    results = []
    for joint in (False, True):
        pair = Pair(network, real, fake, joint=joint, gradients=joint)
        values = [R1(2.0).discriminator(pair), R2(3.0).discriminator(pair)]
        outputs = [pair.real_output.logits, pair.fake_output.logits]
        results.append([*values, *outputs, *torch.autograd.grad(sum(values), network.parameters(), allow_unused=True)])
    torch.testing.assert_close(results[0], results[1])
    assert not real.images.requires_grad


def test_weight_of_a_run_follows_its_schedule(configure):
    """The weight of each iteration's step, seen from inside the step."""
    schedule = "penalty.r1.weight={_target_: gan.optim.schedules.Cosine, start: 0.8, end: 0.2}"
    game = build(configure("penalty=r1", schedule, *BARE, "trainer.max_steps=4"))
    seen, step = [], game.module.train_on_batch
    game.module.train_on_batch = lambda batch: seen.append(float(game.module.terms["r1"].weight)) or step(batch)
    game.data.setup("fit")
    game.module.total_iterations = 4
    game.trainer.fit(game.module, game.data)
    assert seen == pytest.approx([0.5 + 0.3 * math.cos(math.pi * n / 4) for n in range(4)])


def test_scheduled_weight_is_that_of_the_iteration():
    network, real = Quadratic(3.0), Batch(images=torch.rand(5, 1, 4, 4))
    falling, plain = R1(weight=Cosine(1.0, 0.1)), R1(weight=1.0).discriminator(Pair(network, real, real))
    place = falling.weight.data_ptr()
    for iteration, factor in ((0, 1.0), (10, 0.55), (20, 0.1)):
        falling.begin_iteration(iteration, 20)
        found = falling.discriminator(Pair(network, real, real))
        assert found.item() == pytest.approx(factor * plain.item(), rel=1e-6)
    assert falling.weight.data_ptr() == place  # the memory that a captured update reads
    assert not falling.state_dict()  # a function of the iteration


def test_negative_weight_is_refused():
    with pytest.raises(ValueError, match="weight must be a number of at least 0"):
        R1(weight=-1.0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_penalty_is_computed_in_float32_under_autocast(dtype):
    torch.manual_seed(0)
    network = Discriminator((1, 4, 4), [32, 16])
    given = Pair(network, Batch(images=torch.rand(8, 1, 4, 4)), Batch(images=torch.rand(8, 1, 4, 4)))
    expected = R1().discriminator(given)
    with torch.autocast("cpu", dtype):
        assert torch.equal(R1().discriminator(given), expected)
