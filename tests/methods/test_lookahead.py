"""Unrolled steps of D against closed forms, and against torch's own optimizer."""

import copy
from contextlib import nullcontext

import pytest
import torch

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.losses.adversarial import NonSaturating
from gan.losses.base import Pair
from gan.losses.penalties import R1
from gan.losses.wasserstein import Wasserstein
from gan.methods.lookahead import Unrolled
from gan.networks import base, mlp
from gan.networks.normalization import Spectral, Weight
from gan.networks.sngan import Discriminator as SpectralDiscriminator
from gan.networks.views import Packed
from gan.runs.build import build
from tests.test_conf import BARE, composed


class Line(base.Discriminator):
    """t(x) = w x."""

    def __init__(self, w):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(w))

    def score(self, images):
        return self.w * images.flatten()


def at(*values):
    return Batch(images=torch.tensor(values).view(-1, 1, 1, 1))


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_gradient_flows_through_the_steps(steps):
    """L_D = w (f - r), so w_k = w - k η (f - r), and G's loss -w_k f has the slope -w + k η (2 f - r)."""
    w, rate, r, f = 0.7, 0.1, 3.0, 2.0
    network, real = Line(w), at(r)
    x = torch.tensor([f], requires_grad=True)
    pair = Pair(network, real, Batch(images=x.view(1, 1, 1, 1)))
    pair.discriminator = Unrolled(steps, rate)(pair, {"": Wasserstein()})
    loss = Wasserstein().generator(pair)
    moved = w - steps * rate * (f - r)
    assert loss.item() == pytest.approx(-moved * f, rel=1e-6)
    (slope,) = torch.autograd.grad(loss, x)
    assert slope.item() == pytest.approx(-w + steps * rate * (2 * f - r), rel=1e-5)
    # What code has that restores D but cuts the graph at its steps:
    assert (slope.item() == pytest.approx(-moved, rel=1e-5)) == (steps == 0)
    assert network.w.item() == pytest.approx(w)
    assert network.w.grad is None


def test_penalties_are_part_of_the_steps():
    """With R1, w ← (1 - η γ) w - η (f - r): a geometric series."""
    w, rate, weight, r, f = 0.7, 0.1, 2.0, 3.0, 2.0
    pair = Pair(Line(w), at(r), at(f))
    moved = Unrolled(4, rate)(pair, {"": Wasserstein(), "r1": R1(weight)})
    kept = 1 - rate * weight
    expected = kept**4 * w - rate * (f - r) * sum(kept**i for i in range(4))
    assert moved(at(1.0)).logits.item() == pytest.approx(expected, rel=1e-5)


def test_steps_are_those_of_gradient_descent():
    torch.manual_seed(0)
    network = mlp.Discriminator((1, 4, 4), [8, 6])
    real, fake = (Batch(images=torch.rand(6, 1, 4, 4)) for _ in range(2))
    pair = Pair(network, real, fake)
    moved = Unrolled(3, 0.5)(pair, {"": NonSaturating()})
    plain = copy.deepcopy(network)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        NonSaturating().discriminator(Pair(plain, real, fake)).backward()
        optimizer.step()
    torch.testing.assert_close(moved(real).logits, plain(real).logits)


@pytest.mark.parametrize("normalized", [False, True], ids=["plain", "weight normalization"])
def test_gradient_is_that_of_finite_differences(normalized):
    torch.manual_seed(0)
    network = mlp.Discriminator((1, 2, 2), [5])
    if normalized:
        for layer in [part for part in network.modules() if isinstance(part, torch.nn.Linear)]:
            Weight().weights(layer)
    network = network.double()
    real = Batch(images=torch.rand(3, 1, 2, 2, dtype=torch.float64))

    def loss(images):
        pair = Pair(network, real, Batch(images=images))
        pair.outputs = lambda batch: pair.discriminator(batch)  # in float64
        pair.discriminator = Moving(pair)
        return NonSaturating().generator(pair)

    class Moving:
        def __init__(self, pair):
            self.moved = Unrolled(2, 0.3)(pair, {"": InFloat64()})

        def __call__(self, batch):
            return self.moved(batch)

    class InFloat64(NonSaturating):
        def discriminator(self, pair):
            pair.outputs = lambda batch: pair.discriminator(batch)
            return super().discriminator(pair)

    images = torch.rand(3, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (images,))


@pytest.mark.parametrize(
    "network",
    [
        mlp.Discriminator((1, 8, 8), [8], batch_norm=True, dropout=0.3),
        SpectralDiscriminator((1, 8, 8), Spectral(), width=4),
        Packed(mlp.Discriminator((2, 8, 8), [8]), 2),
    ],
    ids=["batch norm and dropout", "spectral", "packed"],
)
def test_discriminator_and_its_statistics_stay_as_they_are(network):
    before = copy.deepcopy(network.state_dict())
    pair = Pair(network.train(), Batch(images=torch.rand(6, 1, 8, 8)), Batch(images=torch.rand(6, 1, 8, 8)))
    pair.discriminator = Unrolled(3, 0.1)(pair, {"": NonSaturating()})
    loss = NonSaturating().generator(pair)
    assert loss.isfinite()
    assert pair.pack == network.pack
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    "words",
    [
        ["loss=relativistic", "penalty=[r1,r2]"],
        ["loss=wasserstein", "penalty=gradient_penalty", "model=mlp_critic"],
        ["loss=began", "model=energy"],
        ["view=packed", "history=replay"],
        ["model=mlp_bn", "loss=minimax"],
    ],
    ids=" ".join,
)
def test_unrolled_training_takes_steps_of_both_players(tmp_path, run_training, words):
    sizes = ["data.batch_size=8", "lookahead.steps=2", "trainer.max_steps=2"]
    module = run_training(composed(tmp_path, "lookahead=unrolled", *words, *BARE, *sizes)).module
    assert module.iteration == 2
    assert all(p.isfinite().all() for p in module.parameters())


def test_generators_step_is_against_d_after_steps_with_its_penalties(configure):
    """A step of G by hand: D after one step of gradient descent on loss and R1, then G's loss."""
    module = build(
        configure("lookahead=unrolled", "lookahead.steps=1", "lookahead.rate=0.5", "penalty=r1", *BARE)
    ).module
    module.discriminator.eval()  # no dropout
    batch = Batch(images=torch.rand(8, 1, 8, 8), labels=torch.zeros(8, dtype=torch.int64))
    found = {}
    module.only_trainable = lambda player: nullcontext()
    module.compute_gradient = lambda player, parts, due: found.update(parts)
    torch.manual_seed(1)
    module.generator_step(batch, {"generator": {"": module.loss}})
    torch.manual_seed(1)
    fake = module.fake(batch)
    after = {}
    for name, terms in {"all": [module.loss, R1(module.terms["r1"].weight)], "loss": [module.loss]}.items():
        plain = copy.deepcopy(module.discriminator)
        inner = Pair(plain, batch, fake.map(torch.Tensor.detach))
        sum(term.discriminator(inner) for term in terms).backward()
        torch.optim.SGD(plain.parameters(), lr=0.5).step()
        after[name] = module.loss.generator(Pair(plain, batch, fake)).item()
    assert found[""].item() == pytest.approx(after["all"], rel=1e-5)
    assert found[""].item() != pytest.approx(after["loss"], rel=1e-4)


def test_steps_that_diverge_name_their_rate(tmp_path, run_training):
    words = ["lookahead=unrolled", "lookahead.rate=1e6", "loss=wasserstein", "penalty=gradient_penalty"]
    guard = "+callbacks={guard: {_target_: gan.training.guard.Guard, every_n_batches: 1}}"
    sizes = ["model=mlp_critic", "data.batch_size=8", "trainer.max_steps=9"]
    with pytest.raises(UserError, match=r"became -?(nan|inf) .* above all lookahead\.rate"):
        run_training(composed(tmp_path, *words, *sizes, *BARE, guard))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optim.simultaneous=true"], "history and lookahead give D and G different inputs"),
        (["lookahead.steps=-1"], "lookahead.steps must be a whole number of at least 0, got -1"),
        (["lookahead.rate=-1"], "lookahead.rate must be a number of at least 0, got -1"),
    ],
)
def test_impossible_unrolling_is_refused_in_one_line(configure, words, message):
    with pytest.raises(UserError, match=message):
        build(configure("lookahead=unrolled", *words))
