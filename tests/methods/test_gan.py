"""The game against a loop without Lightning, and what each step may and may not touch."""

import copy
import warnings

import pytest
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins.precision import MixedPrecision
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from gan.core.random import derive
from gan.data.base import Batches
from gan.methods.gan import GAN, frozen, sample
from gan.runs.build import build, prepare
from gan.training import Monitor

SMALL = ["trainer.max_epochs=2", "data.batch_size=200", "callbacks=none", "logger=none"]  # 6 minibatches an epoch
NO_DROPOUT = ["ema.decay=0", "model.discriminator.dropout=0"]


def plain_algorithm_1(game, cfg, minibatches):
    """Algorithm 1 written out: two Adams, cross-entropy with labels, one generator of random numbers."""
    generator, discriminator = copy.deepcopy(game.module.generator), copy.deepcopy(game.module.discriminator)
    adam = {"betas": (0.5, 0.999), "fused": True}
    d_optimizer = torch.optim.Adam(discriminator.parameters(), cfg.optim.discriminator.lr, **adam)
    g_optimizer = torch.optim.Adam(generator.parameters(), cfg.optim.generator.lr, **adam)
    batches = iter(Batches(game.data.splits["train"].images, cfg.data.batch_size, cfg.seed, position=lambda: 0))
    for n in range(minibatches):
        x = next(batches)
        ones, zeros = torch.ones(len(x)), torch.zeros(len(x))
        torch.manual_seed(derive(cfg.seed, "step", n))
        fake = generator(torch.randn(len(x), cfg.latent.dim)).detach()
        d_optimizer.zero_grad()
        (bce(discriminator(x), ones) + bce(discriminator(fake), zeros)).backward()
        d_optimizer.step()
        if (n + 1) % cfg.k == 0:
            for _ in range(cfg.g_steps):
                g_optimizer.zero_grad()
                bce(discriminator(generator(torch.randn(len(x), cfg.latent.dim))), ones).backward()
                g_optimizer.step()
    return generator, discriminator


@pytest.mark.parametrize(("k", "g_steps"), [(1, 1), (2, 1), (3, 2)])
def test_the_game_is_algorithm_1(configure, k, g_steps):
    cfg = configure(*SMALL, f"k={k}", f"g_steps={g_steps}", "ema.decay=0", "optim/schedule=constant")
    game = build(cfg)
    prepare(game, cfg)
    expected = plain_algorithm_1(game, cfg, minibatches=12)
    game.trainer.fit(game.module, game.data)
    for ours, theirs in zip((game.module.generator, game.module.discriminator), expected, strict=True):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            # Not bit for bit: cross-entropy with labels rounds otherwise than softplus.
            assert torch.allclose(a, b, atol=2e-5), (a - b).abs().max()


def plain_simultaneous_sgd(game, cfg, minibatches):
    """The authors' updates written out: both gradients at one point, v = m v + g, w = w - rate v, growing m."""
    players = [copy.deepcopy(game.module.discriminator), copy.deepcopy(game.module.generator)]
    rates = (cfg.optim.discriminator.lr, cfg.optim.generator.lr)
    velocities = [[torch.zeros_like(p) for p in net.parameters()] for net in players]
    updates = [0, 0]
    batches = iter(Batches(game.data.splits["train"].images, cfg.data.batch_size, cfg.seed, position=lambda: 0))
    for n in range(minibatches):
        x = next(batches)
        ones, zeros = torch.ones(len(x)), torch.zeros(len(x))
        torch.manual_seed(derive(cfg.seed, "step", n))
        discriminator, generator = players
        fake = generator(torch.randn(len(x), cfg.latent.dim))
        turns = 1 + ((n + 1) % cfg.k == 0)
        d_loss = bce(discriminator(x), ones) + bce(discriminator(fake.detach()), zeros)
        gradients = [torch.autograd.grad(d_loss, list(discriminator.parameters()))]
        gradients += [torch.autograd.grad(bce(discriminator(fake), ones), list(generator.parameters()))] * (turns - 1)
        for player in range(turns):
            momentum = 0.5 + 0.2 * min(1, updates[player] / 9)
            rate = rates[player] * 1.000004 ** -updates[player]
            with torch.no_grad():
                for w, v, g in zip(players[player].parameters(), velocities[player], gradients[player], strict=True):
                    v.mul_(momentum).add_(g)
                    w.sub_(rate * v)
            updates[player] += 1
    return players[1], players[0]


@pytest.mark.parametrize("k", [1, 2])
def test_simultaneous_updates_are_the_authors(configure, k):
    cfg = configure(*SMALL, f"k={k}", "optim=sgd2014", "optim.momentum.updates=9", *NO_DROPOUT)
    game = build(cfg)
    prepare(game, cfg)
    start = copy.deepcopy(game.module.generator)
    expected = plain_simultaneous_sgd(game, cfg, minibatches=12)
    game.trainer.fit(game.module, game.data)
    for ours, theirs in zip((game.module.generator, game.module.discriminator), expected, strict=True):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.allclose(a, b, atol=2e-6), (a - b).abs().max()
    moved = [(a - b).abs().max() for a, b in zip(start.parameters(), expected[0].parameters(), strict=True)]
    assert min(moved) > 1e-4


def test_simultaneous_updates_use_another_point_than_alternating_ones(configure, play):
    """G's gradient is taken before D's step: with D's rate at zero the two orders agree, and else they differ."""
    small = [*SMALL, *NO_DROPOUT, "trainer.max_steps=3", "optim=sgd2014"]
    rates = ["optim.discriminator.lr=0.0", "optim.discriminator.lr=0.5"]
    for rate, same in zip(rates, (True, False), strict=True):
        weights = []
        for order in ("true", "false"):
            game = build(cfg := configure(*small, rate, f"optim.simultaneous={order}"))
            prepare(game, cfg)
            game.module.noise = lambda count: torch.ones(count, 8)  # the orders draw different noise
            game.trainer.fit(game.module, game.data)
            weights.append(torch.nn.utils.parameters_to_vector(game.module.generator.parameters()))
        assert torch.allclose(*weights, atol=1e-6) == same


def test_constraints_hold_after_every_step(configure, play):
    choices = ["model=maxout", "optim=sgd2014", "+model.discriminator.max_norm=0.02", "trainer.max_steps=4"]
    game = play(configure(*SMALL, *choices))
    norms = torch.cat([m.linear.weight.norm(dim=1) for m in game.module.discriminator.layers if hasattr(m, "max_norm")])
    assert norms.max() <= 0.02 * (1 + 1e-6)
    assert (norms > 0.01999).any()


class Watch(Callback):
    """Which gradients there are when each player's optimizer is about to step."""

    def __init__(self):
        self.turns = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        player = "DG"[trainer.optimizers.index(getattr(optimizer, "optimizer", optimizer))]
        g = [p.grad is not None for p in pl_module.generator.parameters()]
        d = [p.requires_grad for p in pl_module.discriminator.parameters()]
        self.turns.append((player, any(g), all(d)))


def test_who_moves_when_and_what_is_computed_for_it(configure):
    cfg = configure(*SMALL, "k=3", "trainer.max_epochs=1")
    game = build(cfg)
    prepare(game, cfg)
    watch = Watch()
    game.trainer.callbacks.append(watch)
    game.trainer.fit(game.module, game.data)
    assert "".join(player for player, _, _ in watch.turns) == "DDDGDDDG"
    for player, g_has_gradients, d_wants_gradients in watch.turns[:4]:
        # D's steps build no graph through G; G's steps compute no gradient for D's weights.
        assert (g_has_gradients, d_wants_gradients) == ((True, False) if player == "G" else (False, True))


@pytest.mark.parametrize(("model", "passes"), [("mlp", 2), ("mlp_bn", 2), ("mlp_both_bn", 3)])
def test_the_discriminator_sees_a_minibatch_once_unless_it_mixes_it(configure, model, passes):
    """A turn of both players: real images and samples in one pass, then G's samples."""
    changed = ["+model.discriminator.batch_norm=true"] if model == "mlp_both_bn" else []
    cfg = configure(*SMALL, f"model={model.replace('_both', '')}", *changed, "trainer.max_steps=1")
    game = build(cfg)
    prepare(game, cfg)
    seen = []
    game.module.discriminator.register_forward_pre_hook(lambda net, inputs: seen.append(len(inputs[0])))
    game.trainer.fit(game.module, game.data)
    assert seen == ([400, 200] if passes == 2 else [200, 200, 200])


def test_logits_of_both_are_those_of_each(configure):
    cfg = configure(*SMALL, *NO_DROPOUT)
    game = build(cfg).module
    real, fake = torch.rand(7, 1, 8, 8), torch.rand(5, 1, 8, 8)
    for together, alone in zip(game.logits_of_both(real, fake), (game.logits(real), game.logits(fake)), strict=True):
        assert torch.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("power", [9, 2])
def test_average_follows_its_recursion(configure, play, power):
    """Replays the average from the generators after each step."""
    seen = []

    class Record(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            seen.append(pl_module.generator.layers[0].weight.detach().clone().double())

    cfg = configure(*SMALL, "ema.decay=0.8", f"ema.power={power}")
    game = build(cfg)
    prepare(game, cfg)
    game.trainer.callbacks.append(Record())
    average = game.module.generator.layers[0].weight.detach().clone().double()
    game.trainer.fit(game.module, game.data)
    for t, weight in enumerate(seen, start=1):
        decay = min(0.8, (1 + t) / (1 + power + t))
        average = decay * average + (1 - decay) * weight
    assert torch.allclose(game.module.generator_ema.layers[0].weight.double(), average, atol=1e-6)
    assert not any(p.requires_grad for p in game.module.generator_ema.parameters())


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_clipping_bounds_the_gradient_that_the_optimizer_gets(configure, precision):
    norms = []

    class Norms(torch.optim.SGD):
        def step(self, closure=None):
            if closure is not None:
                closure()
            norms.append(torch.nn.utils.get_total_norm([p.grad for g in self.param_groups for p in g["params"]]))
            return super().step()

    cfg = configure(
        *SMALL, "optim.gradient_clip=0.01", *([] if precision == "16-mixed" else [f"trainer.precision={precision}"])
    )
    game = build(cfg)
    prepare(game, cfg)
    if precision == "16-mixed":  # with scaled gradients, on the CPU
        scaler = torch.amp.GradScaler("cpu", init_scale=1024)
        game.trainer.strategy.precision_plugin = MixedPrecision("16-mixed", "cpu", scaler)
    game.module.optimizer_factories = (lambda p: Norms(p, lr=0.1),) * 2
    game.trainer.fit(game.module, game.data)
    assert len(norms) == 24
    assert torch.stack(norms).max().item() == pytest.approx(0.01, rel=1e-2)
    assert torch.stack(norms).min().item() > 0.005


@pytest.mark.parametrize("fused", [True, False])
def test_gradients_are_unscaled_when_they_are_measured(configure, fused):
    """Under 16-mixed, on the CPU: the norms are those of float32, whatever the optimizer asks for."""
    points = {}
    for precision in ("32-true", "16-mixed"):
        choices = [f"optim.{player}.fused={fused}" for player in ("generator", "discriminator")]
        cfg = configure(
            *SMALL, *choices, "callbacks=default", "~callbacks.sample_grids", "trainer.max_steps=3", folder=precision
        )
        cfg.trainer.precision = precision
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Lightning: no float16 on the CPU
            game = build(cfg)
        prepare(game, cfg)
        if precision == "16-mixed":
            scaler = torch.amp.GradScaler("cpu", init_scale=1024)
            game.trainer.strategy.precision_plugin = MixedPrecision("16-mixed", "cpu", scaler)
        game.trainer.fit(game.module, game.data)
        points[precision] = next(c for c in game.trainer.callbacks if isinstance(c, Monitor)).latest
    for name in ("gradient_norm/generator", "gradient_norm/discriminator"):
        assert points["16-mixed"][name] == pytest.approx(points["32-true"][name], rel=0.05)


def test_max_steps_is_in_minibatches(configure, play):
    for k in (1, 2, 5):
        game = play(configure(*SMALL, f"k={k}", "trainer.max_steps=7", "trainer.max_epochs=-1", folder=f"k{k}"))
        assert game.module.iteration == 7
        assert game.module.total_iterations == 7


def test_schedule_reaches_the_optimizers(configure, play):
    game = play(configure(*SMALL, "optim/schedule=linear", "k=2"))
    assert [o.param_groups[0]["lr"] for o in game.trainer.optimizers] == [0, 0]
    exponential = ["optim/schedule=exponential", "optim.schedule.generator.decay=2", "optim.schedule.generator.floor=0"]
    game = play(configure(*SMALL, *exponential, "optim.generator.lr=0.5", "k=2", folder="exponential"))
    assert game.trainer.optimizers[1].param_groups[0]["lr"] == pytest.approx(0.5 / 2**6)


def test_frozen_thaws_after_an_exception_and_keeps_what_was_frozen():
    net = torch.nn.Linear(2, 2)
    net.bias.requires_grad_(False)

    def fail():
        with frozen(net):
            assert not net.weight.requires_grad
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert net.weight.requires_grad
    assert not net.bias.requires_grad


def test_report_counts_what_the_discriminator_gets_right():
    real, fake = torch.tensor([2.0, 1.0, -1.0]), torch.tensor([-3.0, 4.0])
    report = GAN.report(real, fake, torch.tensor(0.0))
    assert report["rate/true_positive"].item() == pytest.approx(2 / 3)
    assert report["rate/true_negative"].item() == pytest.approx(1 / 2)
    assert report["D(x)"].item() == pytest.approx(torch.sigmoid(real).mean().item())
    assert report["D(G(z))"].item() == pytest.approx(torch.sigmoid(fake).mean().item())


def test_sample_leaves_the_mode_as_it_was():
    net = torch.nn.Dropout(0.5)
    assert torch.equal(sample(net, torch.ones(5)), torch.ones(5))
    assert net.training
