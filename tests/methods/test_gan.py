"""GAN training against plain loops without Lightning, and what each step may change."""

import copy
import math
import warnings
from contextlib import nullcontext
from dataclasses import replace

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins.precision import MixedPrecision
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from gan.app.prepare import prepare
from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.core.random import derive
from gan.data.base import Batches
from gan.losses.base import Pair
from gan.methods.tricks import use_fast_layers
from gan.networks.sampling import sample
from gan.runs.build import build
from gan.training import Monitor
from tests.conftest import composed

SMALL = ["trainer.max_epochs=2", "data.batch_size=200", "callbacks=none", "logger=none"]  # 6 batches an epoch
NO_DROPOUT = ["ema.decay=0", "model.discriminator.dropout=0"]


def plain_algorithm_1(game, cfg, iterations):
    """Algorithm 1 written out: two Adam optimizers, cross-entropy with labels, one random number generator."""
    networks = game.module.generator, game.module.discriminator
    generator, discriminator = (use_fast_layers(copy.deepcopy(network)) for network in networks)  # the same dropout
    adam = {"betas": (0.5, 0.999), "fused": True}
    d_optimizer = torch.optim.Adam(discriminator.parameters(), cfg.optim.discriminator.lr, **adam)
    g_optimizer = torch.optim.Adam(generator.parameters(), cfg.optim.generator.lr, **adam)
    images = game.data.splits["train"].images
    batches = iter(Batches(images, torch.full((len(images),), -1), cfg.data.batch_size, cfg.seed, position=lambda: 0))
    for n in range(iterations):
        x = next(batches).images
        ones, zeros = torch.ones(len(x)), torch.zeros(len(x))
        torch.manual_seed(derive(cfg.seed, "step", n))
        for _ in range(cfg.k if cfg.method.get("same_batch") else 1):
            fake = generator(torch.randn(len(x), cfg.latent.dim)).detach()
            d_optimizer.zero_grad()
            (bce(discriminator.score(x), ones) + bce(discriminator.score(fake), zeros)).backward()
            d_optimizer.step()
        if cfg.method.get("same_batch") or (n + 1) % cfg.k == 0:
            for _ in range(cfg.g_steps):
                g_optimizer.zero_grad()
                bce(discriminator.score(generator(torch.randn(len(x), cfg.latent.dim))), ones).backward()
                g_optimizer.step()
    return generator, discriminator


@pytest.mark.parametrize(("k", "g_steps", "same"), [(1, 1, False), (2, 1, False), (3, 2, False), (3, 2, True)])
def test_training_equals_algorithm_1(configure, k, g_steps, same):
    steps = [f"k={k}", f"g_steps={g_steps}", f"+method.same_batch={same}"]
    cfg = configure(*SMALL, *steps, "ema.decay=0", "optim/schedule=constant")
    game = build(cfg)
    prepare(game, cfg)
    expected = plain_algorithm_1(game, cfg, iterations=12)
    game.trainer.fit(game.module, game.data)
    for ours, theirs in zip((game.module.generator, game.module.discriminator), expected, strict=True):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            # Not bit for bit: cross-entropy with labels rounds differently from softplus.
            assert torch.allclose(a, b, atol=2e-5), (a - b).abs().max()


def test_scheduled_k_sets_the_turns_of_the_generator(configure):
    """k falls from 4 to 1 along half a cosine, rounded down."""
    cfg = configure(*SMALL, "k={_target_: gan.optim.schedules.Cosine, start: 4, end: 1}")
    method = build(cfg).module
    method.total_iterations = 10
    turns = [n + 1 for n in range(10) if method.is_generators_turn(n)]
    assert turns == [n + 1 for n in range(10) if (n + 1) % int(2.5 + 1.5 * math.cos(math.pi * n / 10)) == 0]
    assert len(turns) == method.total_updates("generator") > 4


def test_scheduled_k_below_one_is_refused(configure):
    cfg = configure(*SMALL, "k={_target_: gan.optim.schedules.Cosine, start: 1, end: 0}")
    with pytest.raises(UserError, match=r"^k must be at least 1, its schedule gives 0 at iteration 1\.$"):
        prepare(build(cfg), cfg)


def test_schedules_count_the_steps_on_the_same_batch(configure):
    cfg = configure(*SMALL, "k=3", "g_steps=2", "+method.same_batch=true")
    game = build(cfg)
    prepare(game, cfg)
    game.trainer.fit(game.module, game.data)
    for player, steps in (("discriminator", 36), ("generator", 24)):
        assert game.module.total_updates(player) == steps
        assert game.module.updates(player) == steps


def test_same_batch_needs_alternating_updates(configure):
    with pytest.raises(UserError, match=r"same_batch needs alternating updates: set optim.simultaneous=false"):
        build(configure("optim=sgd2014", "+method.same_batch=true"))


def plain_simultaneous_sgd(game, cfg, iterations):
    """The authors' updates written out: both gradients at one point, v = m v + g, w = w - lr v, with growing m."""
    players = [copy.deepcopy(game.module.discriminator), copy.deepcopy(game.module.generator)]
    rates = (cfg.optim.discriminator.lr, cfg.optim.generator.lr)
    velocities = [[torch.zeros_like(p) for p in net.parameters()] for net in players]
    updates = [0, 0]
    images = game.data.splits["train"].images
    batches = iter(Batches(images, torch.full((len(images),), -1), cfg.data.batch_size, cfg.seed, position=lambda: 0))
    for n in range(iterations):
        x = next(batches).images
        ones, zeros = torch.ones(len(x)), torch.zeros(len(x))
        torch.manual_seed(derive(cfg.seed, "step", n))
        discriminator, generator = players
        fake = generator(torch.randn(len(x), cfg.latent.dim))
        turns = 1 + ((n + 1) % cfg.k == 0)
        d_loss = bce(discriminator.score(x), ones) + bce(discriminator.score(fake.detach()), zeros)
        gradients = [torch.autograd.grad(d_loss, list(discriminator.parameters()))]
        gradients += [torch.autograd.grad(bce(discriminator.score(fake), ones), list(generator.parameters()))] * (
            turns - 1
        )
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
def test_simultaneous_updates_equal_those_of_the_authors(configure, k):
    cfg = configure(*SMALL, f"k={k}", "optim=sgd2014", "optim.momentum.updates=9", *NO_DROPOUT)
    game = build(cfg)
    prepare(game, cfg)
    start = copy.deepcopy(game.module.generator)
    expected = plain_simultaneous_sgd(game, cfg, iterations=12)
    game.trainer.fit(game.module, game.data)
    for ours, theirs in zip((game.module.generator, game.module.discriminator), expected, strict=True):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.allclose(a, b, atol=2e-6), (a - b).abs().max()
    moved = [(a - b).abs().max() for a, b in zip(start.parameters(), expected[0].parameters(), strict=True)]
    assert min(moved) > 1e-4


def test_simultaneous_g_gradient_is_taken_before_the_d_step(configure, run_training):
    """G's gradient is computed before D's step: the two orders agree only if D's learning rate is zero."""
    small = [*SMALL, *NO_DROPOUT, "trainer.max_steps=3", "optim=sgd2014"]
    rates = ["optim.discriminator.lr=0.0", "optim.discriminator.lr=0.5"]
    for rate, same in zip(rates, (True, False), strict=True):
        weights = []
        for order in ("true", "false"):
            game = build(cfg := configure(*small, rate, f"optim.simultaneous={order}"))
            prepare(game, cfg)
            game.module.latent = lambda random, labels: (
                torch.ones(len(labels), 8),
                labels,
            )  # the orders draw different latents
            game.trainer.fit(game.module, game.data)
            weights.append(torch.nn.utils.parameters_to_vector(game.module.generator.parameters()))
        assert torch.allclose(*weights, atol=1e-6) == same


def test_max_norm_constraint_holds_after_every_step(configure, run_training):
    choices = ["model=maxout", "optim=sgd2014", "+model.discriminator.max_norm=0.02", "trainer.max_steps=4"]
    game = run_training(configure(*SMALL, *choices))
    norms = torch.cat([m.linear.weight.norm(dim=1) for m in game.module.discriminator.layers if hasattr(m, "max_norm")])
    assert norms.max() <= 0.02 * (1 + 1e-6)
    assert (norms > 0.01999).any()


class RecordUpdates(Callback):
    """Records whose weights require a gradient in each backward pass, and which optimizer steps."""

    def __init__(self):
        self.wanted, self.steps = [], []

    def on_before_backward(self, trainer, pl_module, loss):
        networks = (pl_module.generator, pl_module.discriminator)
        self.wanted.append(tuple(all(p.requires_grad for p in network.parameters()) for network in networks))

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.steps.append("DG"[trainer.optimizers.index(getattr(optimizer, "optimizer", optimizer))])


def test_update_order_and_required_gradients(configure):
    cfg = configure(*SMALL, "k=3", "trainer.max_epochs=1")
    game = build(cfg)
    prepare(game, cfg)
    watch = RecordUpdates()
    game.trainer.callbacks.append(watch)
    game.trainer.fit(game.module, game.data)
    assert "".join(watch.steps) == "DDDGDDDG"
    # D's steps build no graph through G; G's steps compute no gradient for D's weights.
    assert watch.wanted == [(player == "G", player == "D") for player in watch.steps]


@pytest.mark.parametrize(("model", "passes"), [("mlp", 2), ("mlp_bn", 2), ("mlp_both_bn", 3)])
def test_real_and_fake_share_a_forward_pass_unless_d_mixes_the_batch(configure, model, passes):
    """One step of both players: real images and samples in one pass, then G's samples."""
    changed = ["+model.discriminator.batch_norm=true"] if model == "mlp_both_bn" else []
    cfg = configure(*SMALL, f"model={model.replace('_both', '')}", *changed, "trainer.max_steps=1")
    game = build(cfg)
    prepare(game, cfg)
    seen = []
    game.module.discriminator.register_forward_pre_hook(lambda net, inputs: seen.append(len(inputs[0])))
    game.trainer.fit(game.module, game.data)
    assert seen == ([400, 200] if passes == 2 else [200, 200, 200])


@pytest.mark.parametrize(
    ("penalty", "precision", "passes"),
    [
        ("[r1,r2]", "32-true", [400, 200]),
        ("[r1,r2]", "bf16-mixed", [400, 200, 200, 200]),  # the penalties are computed in float32
        ("r1", "32-true", [400, 200, 200]),
    ],
)
def test_penalties_on_both_sides_share_the_forward_pass_in_float32(configure, penalty, precision, passes):
    cfg = configure(*SMALL, f"penalty={penalty}", f"trainer.precision={precision}", "trainer.max_steps=1")
    game = build(cfg)
    prepare(game, cfg)
    seen = []
    game.module.discriminator.register_forward_pre_hook(lambda net, inputs: seen.append(len(inputs[0])))
    game.trainer.fit(game.module, game.data)
    assert seen == passes


def test_joint_forward_pass_equals_two_passes(configure):
    game = build(configure(*SMALL, *NO_DROPOUT)).module
    real, fake = (Batch(images=torch.rand(n, 1, 8, 8), labels=torch.full((n,), -1)) for n in (7, 5))
    together, apart = (Pair(game.discriminator, real, fake, joint=joint) for joint in (True, False))
    assert torch.allclose(together.real_output.logits, apart.real_output.logits, atol=1e-6)
    assert torch.allclose(together.fake_output.logits, apart.fake_output.logits, atol=1e-6)


@pytest.mark.parametrize(("power", "network"), [(9, "generator"), (2, "generator"), (9, "discriminator")])
def test_ema_follows_its_recursion(configure, power, network):
    """Recomputes the EMA from the network after each step."""
    seen = []

    def first_weight(network):
        return next(parameter for parameter in network.parameters() if parameter.ndim == 2).detach().clone().double()

    class Record(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            seen.append(first_weight(getattr(pl_module, network)))

    words = ["ema.decay=0.8", f"ema.power={power}", f"+method.discriminator_ema={network == 'discriminator'}"]
    cfg = configure(*SMALL, *words)
    game = build(cfg)
    prepare(game, cfg)
    game.trainer.callbacks.append(Record())
    average = first_weight(getattr(game.module, network))
    game.trainer.fit(game.module, game.data)
    for t, weight in enumerate(seen, start=1):
        decay = min(0.8, (1 + t) / (1 + power + t))
        average = decay * average + (1 - decay) * weight
    kept = getattr(game.module, f"{network}_ema")
    assert torch.allclose(first_weight(kept), average, atol=1e-6)
    assert not torch.allclose(first_weight(kept), seen[-1], atol=1e-6)
    assert not any(p.requires_grad for p in kept.parameters())


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_clipped_gradient_norm_reaches_the_optimizer(configure, precision):
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
    game.module.players = {
        name: replace(player, optimizer=lambda p: Norms(p, lr=0.1)) for name, player in game.module.players.items()
    }
    game.trainer.fit(game.module, game.data)
    assert len(norms) == 24
    assert torch.stack(norms).max().item() == pytest.approx(0.01, rel=1e-2)
    assert torch.stack(norms).min().item() > 0.005


@pytest.mark.parametrize("fused", [True, False])
def test_logged_gradient_norms_are_unscaled(configure, fused):
    """Under 16-mixed, on the CPU: the norms equal those of float32, fused optimizer or not."""
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


def test_max_steps_counts_batches(configure, run_training):
    for k in (1, 2, 5):
        game = run_training(configure(*SMALL, f"k={k}", "trainer.max_steps=7", "trainer.max_epochs=-1", folder=f"k{k}"))
        assert game.module.iteration == 7
        assert game.module.total_iterations == 7


def test_schedule_reaches_the_optimizers(configure, run_training):
    game = run_training(configure(*SMALL, "optim/schedule=linear", "k=2"))
    assert [o.param_groups[0]["lr"] for o in game.trainer.optimizers] == [0, 0]
    exponential = ["optim/schedule=exponential", "optim.schedule.generator.decay=2", "optim.schedule.generator.floor=0"]
    game = run_training(configure(*SMALL, *exponential, "optim.generator.lr=0.5", "k=2", folder="exponential"))
    assert game.trainer.optimizers[1].param_groups[0]["lr"] == pytest.approx(0.5 / 2**6)


def test_only_trainable_restores_requires_grad_after_an_exception(configure, run_training):
    game = build(cfg := configure(*SMALL, "trainer.max_steps=1"))
    prepare(game, cfg)
    bias = game.module.generator.layers[0].bias.requires_grad_(False)
    weight = game.module.generator.layers[0].weight
    game.trainer.fit(game.module, game.data)

    def fail():
        with game.module.only_trainable("discriminator"):
            assert not weight.requires_grad
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert weight.requires_grad
    assert not bias.requires_grad


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["normalization@model.generator.normalization=conditional_batch", "model=dcgan", "data.image_size=16"],
            r"latent draws no labels, which this generator needs; take latent=labelled",
        ),
        (
            ["conditioning=class_logits", "auxiliary=class_labels"],
            r"auxiliary.classes.generated=true needs a generator with labels; set it to false",
        ),
    ],
)
def test_labels_of_real_images_are_not_those_of_samples(words, message):
    """Without labels of its own a latent passes on those of the real batch, which G would not get after training."""
    cfg = composed(*words)
    with pytest.raises(UserError, match=message):
        prepare(build(cfg), cfg)


@pytest.mark.parametrize(
    ("words", "ignored"),
    [
        (["latent=labelled"], True),
        (["experiment=cgan", "model=dcgan", "data.image_size=16"], True),
        (["latent=labelled", "model=conditional"], False),
        (["experiment=cgan", "model=dcgan", "data.image_size=16", "conditioning=concatenation"], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_labels_that_the_generator_would_ignore_are_refused(words, ignored):
    cfg = composed(*words)
    message = r"latent draws labels, which model\.generator would ignore; take model=conditional or conditioning"
    with pytest.raises(UserError, match=message) if ignored else nullcontext():
        prepare(build(cfg), cfg)


def test_sample_restores_the_training_mode():
    class Net(torch.nn.Dropout):
        def forward(self, z, labels):
            return super().forward(z)

    net = Net(0.5)
    assert torch.equal(sample(net, torch.ones(5)), torch.ones(5))
    assert net.training


def fitted(configure, **trainer):
    """A method trained by a plain Trainer on the configured data, without ``prepare``."""
    cfg = configure(*SMALL)
    experiment = build(cfg)
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    plain = pl.Trainer(accelerator="cpu", use_distributed_sampler=False, num_sanity_val_steps=0, **quiet, **trainer)
    plain.fit(experiment.module, experiment.data)
    return experiment.module


def test_plain_trainer_fits_a_method_for_its_epochs(configure):
    module = fitted(configure, max_epochs=2)
    assert module.iteration == module.total_iterations == 2 * 6


def test_plain_trainer_without_an_end_is_refused(configure):
    with pytest.raises(UserError, match=r"total_iterations is missing: give it to the method, or max_epochs"):
        fitted(configure, max_epochs=-1)
