"""Device errors found without a GPU: fake CUDA tensors, which must not mix with CPU tensors."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import cross_entropy

from gan.app.command_line import CONF
from gan.core.batch import Batch
from gan.core.random import RandomRows
from gan.data.base import Batches
from gan.data.mixture import Ring
from gan.losses.base import Pair
from gan.metrics import distances, kernel, manifold, memorization
from gan.metrics.features import Components, Pixels, Shipped, Stacked
from gan.metrics.features.classifier import Classifier, Recipe, augment, look
from gan.metrics.parzen import _log_sum_exp
from gan.networks.latents import Gaussian, Spherical, Truncated, Uniform, lerp, slerp
from gan.networks.sampling import sample
from gan.runs import build

GPU = torch.device("cuda", 0)
pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="pretends that there is a GPU; there is one")


@pytest.fixture
def fake_mode() -> Iterator[FakeTensorMode]:
    """Fake tensors have shapes and devices but no values; mixing two devices is an error, as on a GPU."""
    with FakeTensorMode(allow_non_fake_inputs=False) as mode, torch.no_grad():
        yield mode


def on_the_gpu(mode, network):
    """Replaces a network's weights and buffers by fake tensors on a GPU.

    ``network.to`` would swap tensors in place, which fails for fake ones.
    """
    for module in network.modules():
        for kind in (module._parameters, module._buffers):
            kind.update({name: mode.from_tensor(value).to(GPU) for name, value in kind.items() if value is not None})
    return network


def composed(words):
    """The networks, loss and latent of a real configuration, on the CPU, and the shape of its images."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", [*words, "trainer=cpu", "output_dir=unused", "callbacks=none", "logger=none"])
    return build.module(cfg), (cfg.data.channels, cfg.data.image_size, cfg.data.image_size)


def test_fake_tensors_of_two_devices_do_not_mix(fake_mode):
    """Without this error, the tests below would detect nothing."""
    with pytest.raises(RuntimeError, match="two different devices cuda:0, cpu"):
        torch.ones(3, device=GPU) + torch.ones(3)


GAMES = [
    *(["data=digits", f"model={model}"] for model in ("mlp", "mlp_bn", "shallow", "maxout")),
    ["experiment=ring"],
    ["experiment=figure1"],
    ["experiment=gaussian_moments"],
    ["data=cifar10", "model=paper_cifar10_convolutional", "model.generator.layers.0.units=16"],
    ["data=digits", "model=paper_cifar10_dense", "model.generator.layers.0.units=16"],
    ["data=digits", "model=maxout", "+model.discriminator.max_norm=1.0"],
]


@pytest.mark.slow
@pytest.mark.parametrize("precision", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("words", GAMES, ids=" ".join)
def test_step_of_both_players_stays_on_the_gpu(words, precision):
    """Latents, both forward passes, losses and constraints."""
    module, shape = composed(words)
    with FakeTensorMode(allow_non_fake_inputs=False) as mode, torch.no_grad():
        on_the_gpu(mode, module)
        found, images = outputs_of_a_step(module, shape, precision)
    assert images.shape == (6, *shape)
    assert {value.device for value in found} == {GPU}
    assert {value.dtype for value in found} == {torch.float32}


@contextmanager
def autocast(precision):
    """Like ``torch.autocast("cuda", precision)``, which does nothing without a GPU."""
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", precision is not None)
    torch.set_autocast_dtype("cuda", precision or before[1])
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", before[0])
        torch.set_autocast_dtype("cuda", before[1])


def outputs_of_a_step(module, shape, precision):
    with autocast(precision):
        fake = sample(module.generator, module.latent.draw(RandomRows(GPU), 6))
        module.generator.train()
        fake = module.generator(module.latent.draw(RandomRows(GPU), 6)).float()
        real = torch.rand(6, *shape, device=GPU)
        labels = torch.full((6,), -1, device=GPU)
        joint = not module.discriminator.mixes_batch
        pair = Pair(module.discriminator, Batch(real, labels), Batch(fake, labels), joint=joint)
        outputs = [pair.real_output.logits, pair.fake_output.logits]
        losses = [module.loss.discriminator(pair), module.loss.generator(pair)]
        report = module.loss.report(pair)
    for network in (module.generator, module.discriminator):
        network.constrain()
    return [fake, *outputs, *losses, *report.values()], fake


@pytest.mark.parametrize(
    "latent", [Gaussian(5), Uniform(5), Spherical(5), Truncated(5)], ids=lambda latent: type(latent).__name__
)
def test_latents_are_drawn_on_the_gpu(fake_mode, latent):
    start, end = latent.draw(RandomRows(GPU), 4), latent.draw(RandomRows(GPU), 4)
    path = torch.linspace(0, 1, 3, device=GPU)
    assert {z.device for z in (start, lerp(start, end, path), slerp(start, end, path))} == {GPU}


def test_batches_are_gathered_on_the_gpu(fake_mode):
    images = torch.zeros(50, 1, 4, 4, dtype=torch.uint8, device=GPU)
    batches = Batches(images, torch.full((len(images),), -1, device=images.device), 8, seed=0, position=lambda: 3)
    batches.order = lambda epoch: torch.arange(50)
    minibatch = next(iter(batches)).images
    assert (minibatch.device, minibatch.dtype, minibatch.shape) == (GPU, torch.float32, (8, 1, 4, 4))


def test_classifier_loss_stays_on_the_gpu():
    net = Classifier(3, 16, classes=7)
    with FakeTensorMode(allow_non_fake_inputs=False) as mode, torch.no_grad():
        on_the_gpu(mode, net)
        images = torch.zeros(9, 3, 16, 16, dtype=torch.uint8).to(GPU)
        loss = cross_entropy(net(augment(images.float() / 255, Recipe())), torch.zeros(9, dtype=torch.int64).to(GPU))
        view = look(net.eval(), images.float())
    assert {value.device for value in (loss, view.features, view.log_probabilities)} == {GPU}


def ring_components():
    data = Ring(modes=8, deviation=0.1, batch_size=4, image_size=1, channels=2, classes=8, seed=0)
    net = Components()
    net.prepare(data)
    return net


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (Pixels, (1, 8, 8)),
        (lambda: Shipped("digits"), (1, 8, 8)),
        (lambda: Shipped("digits"), (1, 16, 16)),
        (lambda: Stacked("digits"), (3, 8, 8)),
        (ring_components, (2, 1, 1)),
    ],
)
def test_feature_extractors_stay_on_the_gpu(make, shape):
    net = make()
    with FakeTensorMode(allow_non_fake_inputs=False) as mode, torch.no_grad():
        on_the_gpu(mode, net)
        view = net(torch.rand(5, *shape, device=GPU))
    assert {value.device for value in vars(view).values() if value is not None} == {GPU}
    assert len(view.features) == 5


METRICS = {
    "nearest distances": lambda a, b: distances.nearest_distances(a, b),
    "radii": lambda a, b: distances.neighbour_radii(a, 3),
    "kernel": lambda a, b: kernel.kernel_distances(a, b, 4),
    "parzen": lambda a, b: _log_sum_exp(next(distances.squared_distances(a.double(), b.double())), [-1.0, -2.0]),
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics_stay_on_the_gpu(fake_mode, name):
    found = METRICS[name](torch.rand(40, 6, device=GPU), torch.rand(50, 6, device=GPU))
    assert found.device == GPU
    assert found.dtype == torch.float64


WITH_SYNCHRONIZATION = {
    "precision and recall": lambda a, b: manifold.precision_recall(a, b),
    "density and coverage": lambda a, b: manifold.density_coverage(a, b),
    "memorization": lambda a, b: memorization.share_nearer(a[:, 0], b[:, 0]),
}


@pytest.mark.parametrize("name", WITH_SYNCHRONIZATION)
def test_metrics_run_on_the_gpu_up_to_ties_or_the_value(fake_mode, name):
    """Fake tensors have no values: neither the metric itself nor the number of distances near a limit (nonzero)."""
    from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException

    errors = (DataDependentOutputException, DynamicOutputShapeException)
    with pytest.raises(errors, match=r"_local_scalar_dense|item|nonzero"):
        WITH_SYNCHRONIZATION[name](torch.rand(40, 6, device=GPU), torch.rand(50, 6, device=GPU))
