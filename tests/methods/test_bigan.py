"""BiGAN: its two objectives by hand, what each step moves, its networks, resume."""

import pytest
import torch
from torch.nn.functional import softplus

from gan.app.prepare import prepare
from gan.core.batch import Batch, Output
from gan.core.errors import UserError
from gan.losses.adversarial import NonSaturating
from gan.losses.base import Pair
from gan.losses.penalties import R1
from gan.losses.wasserstein import Wasserstein
from gan.methods.bigan import Swapped
from gan.networks import bigan
from gan.runs.build import build
from tests.test_resume import check_resume

NARROW = [f"model.{name}.hidden=[16,12]" for name in ("generator", "encoder", "discriminator")]
SMALL = ["method=bigan", "latent=uniform", "latent.dim=3", "data.batch_size=200", "logger=none"]
PLAIN = [f"model.{name}.batch_norm=false" for name in ("generator", "encoder", "discriminator")]


def made(configure, *words):
    """The method with narrow networks, ready for steps without a Trainer."""
    return build(configure(*SMALL, *NARROW, *words)).module


def scores(batch):
    """A linear D of pairs: the sum of the image minus the sum of z."""
    return Output(logits=batch.images.flatten(1).sum(1) - batch.z.sum(1))


def test_objectives_are_those_of_the_paper_by_hand():
    real = Batch(images=torch.tensor([[[[2.0]]], [[[1.0]]]]), z=torch.tensor([[1.0], [0.5]]))  # t = 1 and .5
    fake = Batch(images=torch.tensor([[[[0.0]]], [[[3.0]]]]), z=torch.tensor([[2.0], [1.0]]))  # t = -2 and 2
    pair, loss = Pair(scores, real, fake), Swapped(NonSaturating())
    r, f = torch.tensor([1.0, 0.5]), torch.tensor([-2.0, 2.0])
    of_d = (torch.log1p((-r).exp()) + torch.log1p(f.exp())).mean()
    of_ge = (torch.log1p(r.exp()) + torch.log1p((-f).exp())).mean()
    assert loss.discriminator(pair).item() == pytest.approx(of_d.item())
    assert loss.generator(pair).item() == pytest.approx(of_ge.item())
    assert Swapped(Wasserstein()).generator(pair).item() == pytest.approx((r - f).mean().item())
    assert loss.report(pair)["D(x)"].item() == pytest.approx(r.sigmoid().mean().item())


def test_penalty_is_on_image_and_z_together():
    """The gradient of a linear D is its weights: 1 for each of 4 pixels, -1 for each of 3 coordinates."""
    batch = Batch(images=torch.rand(5, 1, 2, 2), z=torch.rand(5, 3))
    assert R1(weight=2.0).discriminator(Pair(scores, batch, batch)).item() == pytest.approx(7.0)


def test_each_step_has_gradients_for_its_own_networks(configure):
    method = made(configure)
    batch = Batch(images=torch.rand(16, 1, 8, 8), labels=torch.full((16,), -1))
    trained = {name: [p for n in every for p in n.parameters()] for name, every in method.trained_networks.items()}
    pair = Pair(method.discriminator, method.real(batch), method.fake(batch))
    torch.nn.init.normal_(method.discriminator.last.weight)  # at its start, 0, nothing passes
    method.loss.generator(pair).backward()
    for name in ("generator", "encoder"):
        assert all(p.grad.abs().max() > 0 for p in getattr(method, name).parameters()), name
    assert {id(p) for p in trained["generator"]} == {
        id(p) for network in (method.generator, method.encoder) for p in network.parameters()
    }
    assert {id(p) for p in trained["discriminator"]} == {id(p) for p in method.discriminator.parameters()}


@pytest.mark.parametrize("simultaneous", ["true", "false"])
def test_a_run_moves_all_three_networks_and_both_averages(configure, run_training, simultaneous):
    words = [*SMALL, *NARROW, f"optim.simultaneous={simultaneous}", "trainer.max_steps=2", "callbacks=none"]
    game = run_training(configure(*words))
    before = dict(build(configure(*words, folder="before")).module.named_parameters())
    assert {name.partition(".")[0] for name in before} >= {"generator_ema", "encoder_ema", "discriminator"}
    for name, value in game.module.named_parameters():
        assert not torch.equal(value, before[name]), name


def test_simultaneous_gradients_are_those_at_the_same_weights(configure, run_training):
    """Plain SGD: the first update of each player is its gradient, computed here with both networks' first weights."""
    words = [*SMALL, *NARROW, *PLAIN, "optim=sgd", "optim.simultaneous=true", "trainer.max_steps=1", "callbacks=none"]
    words += ["recipe.lr=0.5", "ema.decay=0", "model.generator.deviation=0.3", "model.encoder.deviation=0.3"]
    cfg = configure(*words, "model.discriminator.deviation=0.3")
    game = build(cfg)
    prepare(game, cfg)
    torch.manual_seed(5)
    torch.nn.init.normal_(game.module.discriminator.last.weight)
    start = {name: value.clone() for name, value in game.module.named_parameters()}
    seen = []
    original = game.module.simultaneous_step

    def step(batch, due):
        seen.append(batch)
        state = torch.get_rng_state()
        real, fake = game.module.real(batch), game.module.fake(batch)
        torch.set_rng_state(state)
        pair = Pair(game.module.discriminator, real, fake)
        r, f = pair.real_output.logits, pair.fake_output.logits
        mine = list(game.module.discriminator.parameters())
        theirs = [*game.module.generator.parameters(), *game.module.encoder.parameters()]
        of_d = torch.autograd.grad((softplus(-r) + softplus(f)).mean(), mine, retain_graph=True)
        of_ge = torch.autograd.grad((softplus(r) + softplus(-f)).mean(), theirs)
        seen.append(dict(zip([*map(id, mine), *map(id, theirs)], [*of_d, *of_ge], strict=True)))
        return original(batch, due)

    game.module.simultaneous_step = step
    game.trainer.fit(game.module, game.data)
    for name, value in game.module.named_parameters():
        expected = start[name] - 0.5 * seen[1][id(value)]
        assert torch.allclose(value, expected, atol=1e-6), name


def test_resumed_run_equals_the_uninterrupted_one(configure, run_training, tmp_path):
    choices = [*SMALL, *NARROW, "logger=tensorboard", "trainer.max_epochs=2", "callbacks.monitor.every_n_batches=4"]
    choices += ["optim.simultaneous=true"]
    whole = run_training(configure(*choices, folder="whole"))
    check_resume(configure, run_training, tmp_path, choices, whole, stop_at=9)


OTHERS = [
    "penalty=r1",
    "penalty=gradient_penalty loss=wasserstein",
    "penalty=[r1,r2] loss=relativistic",
    "penalty=dragan",
]
OTHERS += [f"loss={name}" for name in ("hinge", "relativistic_averaged", "lsgan", "f_gan_kl", "minimax")]


@pytest.mark.parametrize("words", OTHERS)
def test_other_losses_and_penalties_take_a_step(configure, run_training, words):
    game = run_training(configure(*SMALL, *NARROW, *PLAIN, *words.split(), "trainer.max_steps=2", "callbacks=none"))
    assert all(p.isfinite().all() for p in game.module.parameters())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=mlp"], "model.encoder must be a mapping with a _target_"),
        (["loss=began"], "method=bigan needs a loss of D's scores alone"),
        (["loss=catgan"], "method=bigan needs a loss of D's scores alone"),
        (["model.encoder.latent_dim=4"], r"model.encoder returns shape \(2, 4\), expected \(2, 3\)"),
        (["method=gan", "model=bigan"], "model.discriminator is given z with each image, .*; take method=bigan"),
        (["trainer.devices=2", "trainer.accelerator=cpu"], "compares the examples of a batch"),
        (["model.discriminator.hidden=[8]"], "hidden needs two layers or more"),
    ],
)
def test_what_does_not_fit_is_one_line(configure, words, message):
    narrow = [] if words == ["model=mlp"] else NARROW
    cfg = configure(*SMALL, *narrow, *words)
    with pytest.raises(UserError, match=message):
        prepare(build(cfg), cfg)


def test_discriminator_of_images_alone_is_refused(configure):
    cfg = configure(*SMALL, *NARROW)
    cfg.model.discriminator = {"_target_": "gan.networks.mlp.Discriminator", "image_shape": [1, 8, 8], "hidden": [8]}
    with pytest.raises(UserError, match="method=bigan needs a discriminator of pairs"):
        build(cfg)


# Networks


def test_z_is_an_input_of_every_layer_but_the_first():
    torch.manual_seed(0)
    network = bigan.Discriminator(3, (1, 4, 4), [8, 6, 5], batch_norm=False, deviation=0.3)
    torch.nn.init.normal_(network.last.weight)
    hidden, (x, z) = network.hidden, (torch.rand(4, 1, 4, 4), torch.rand(4, 3))
    h = torch.nn.functional.leaky_relu(hidden.layers[0](x.flatten(1)), 0.2)
    for layer, of_z in zip(hidden.layers[1:], hidden.of_z, strict=True):
        h = torch.nn.functional.leaky_relu(layer(h) + of_z(z), 0.2)
    expected = network.last(h)[:, 0]
    assert torch.allclose(network(Batch(images=x, z=z)).logits, expected, atol=1e-6)
    assert not torch.allclose(network(Batch(images=x, z=z + 1)).logits, expected)


def test_start_is_undecided_and_normalization_has_no_weights():
    network = bigan.Discriminator(3, (1, 4, 4), [8, 6])
    assert network(Batch(images=torch.rand(4, 1, 4, 4), z=torch.rand(4, 3))).logits.abs().max() == 0
    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm1d)]
    assert [norm.num_features for norm in norms] == [6]  # not the first layer
    assert not any(norm.affine for norm in norms)
    assert network.mixes_batch
    assert not bigan.Discriminator(3, (1, 4, 4), [8, 6], batch_norm=False).mixes_batch


def test_generator_and_encoder_have_the_range_of_images_and_codes():
    generator = bigan.Generator(3, (1, 4, 4), [8, 6], deviation=2.0)
    images = generator(torch.randn(50, 3))
    assert images.shape == (50, 1, 4, 4)
    assert 0 <= images.min() < images.max() <= 1
    encoder = bigan.Encoder((1, 4, 4), [8, 6], 3, bound=1.5, deviation=2.0)
    codes = encoder(images)
    assert codes.shape == (50, 3)
    assert codes.abs().max() <= 1.5
    assert encoder.features(images).shape == (50, 6)
    free = bigan.Encoder((1, 4, 4), [8, 6], 3, deviation=2.0)
    free.load_state_dict(encoder.state_dict())
    assert torch.allclose(codes, 1.5 * torch.tanh(free(images) / 2), atol=1e-5)
