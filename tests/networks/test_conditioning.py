"""Wrappers that give labels and codes to any network: their formulas, and what they share with the inner network."""

import copy

import pytest
import torch

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.networks import (
    base,
    completion,
    conditioning,
    convolutional,
    dcgan,
    dcgan_textbook,
    maxout,
    mlp,
    noisy_mlp,
    points,
    resnet,
    sngan,
)
from gan.networks.fitted import GaussianFit
from gan.networks.normalization import Batch as BatchNormalization
from gan.networks.normalization import ConditionalBatch, Spectral, SpectralWeight
from gan.runs import build
from tests.conftest import composed

SHAPE = (1, 8, 8)
DISCRIMINATORS = {
    "mlp": lambda shape: mlp.Discriminator(shape, [16, 12]),
    "maxout": lambda shape: maxout.Discriminator(shape, [12], 3, 0.1, 0.0, 0.0),
    "dcgan": lambda shape: dcgan.Discriminator(shape, width=4),
    "convolutional": lambda shape: convolutional.Discriminator(shape, width=4, units=6),
    "resnet": lambda shape: resnet.Discriminator(shape, width=4),
    "sngan": lambda shape: sngan.Discriminator(shape, Spectral(), width=4),
    "noisy_mlp": lambda shape: noisy_mlp.Discriminator(shape, [16, 12]),
    "points": lambda shape: points.Discriminator(shape, [12]),
}


@pytest.fixture(params=DISCRIMINATORS)
def inner(request):
    torch.manual_seed(0)
    return DISCRIMINATORS[request.param](SHAPE).eval()


def with_encoder(inner):
    return completion.Completing(inner, 5, SHAPE, [6])


def batch(count=6, shape=SHAPE):
    generator = torch.Generator().manual_seed(1)
    return Batch(images=torch.rand(count, *shape, generator=generator), labels=torch.arange(count) % 3)


def test_last_layer_of_the_features_is_the_score(inner):
    images = batch().images
    assert torch.equal(inner.logit(inner.features(images)), inner.score(images))


def test_last_layer_of_the_textbook_network_is_the_score():
    network = dcgan_textbook.Discriminator((1, 28, 28), width=4).eval()
    images = batch(2, (1, 28, 28)).images
    assert torch.equal(network.logit(network.features(images)), network.score(images))


def test_projection_adds_the_product_of_features_and_class_vector(inner):
    network, given = conditioning.Projection(inner, image_shape=SHAPE, classes=3), batch()
    features, vectors = inner.features(given.images).flatten(1), network.vectors.weight
    expected = inner.score(given.images) + torch.stack(
        [features[i] @ vectors[label] for i, label in enumerate(given.labels)]
    )
    assert torch.allclose(network(given).logits, expected, atol=1e-5)
    unknown = Batch(images=given.images, labels=torch.full((6,), -1))
    assert torch.allclose(network(unknown).logits, inner.score(given.images), atol=1e-6)


def test_class_head_keeps_the_logit_and_adds_one_per_class(inner):
    network, given = conditioning.ClassHead(inner, image_shape=SHAPE, classes=3), batch()
    output = network(given)
    assert torch.equal(output.logits, inner.score(given.images))
    expected = inner.features(given.images).flatten(1) @ network.classes.weight.T + network.classes.bias
    assert torch.allclose(output.classes, expected, atol=1e-5)


def test_probability_of_real_is_the_mass_of_the_classes(inner):
    """D(x) = Z / (Z + 1), which is the softmax over K + 1 classes with 0 as the last logit."""
    output = conditioning.ClassLogits(inner, image_shape=SHAPE, classes=3)(batch())
    together = torch.cat([output.classes, torch.zeros(6, 1)], 1).softmax(1)
    assert torch.allclose(output.logits.sigmoid(), together[:, :3].sum(1), atol=1e-6)


def test_class_logits_get_the_noise_before_the_last_layer():
    """As the last layer in the authors' code, while the features that G matches are without it."""
    torch.manual_seed(0)
    inner = noisy_mlp.Discriminator(SHAPE, [12], input_noise=0.0, noise=0.5)
    network, given = conditioning.ClassLogits(inner, image_shape=SHAPE, classes=3), batch(1)
    many = Batch(images=given.images.expand(20_000, *SHAPE), labels=given.labels.expand(20_000))
    output = network(many)
    assert torch.allclose(output.features, inner.features(many.images))
    deviations = output.classes.std(0) / network.classes.weight.norm(dim=1)
    assert torch.allclose(deviations, torch.full((3,), 0.5), rtol=0.05)
    network.eval()
    assert torch.allclose(network(many).classes, network.classes(output.features), atol=1e-6)


def test_code_head_has_a_parameter_per_value_and_per_number(inner):
    network = conditioning.CodeHead(inner, image_shape=SHAPE, categorical=[10, 3], continuous=2, hidden=7)
    output = network(batch())
    assert output.codes.shape == (6, 15)
    assert torch.equal(output.logits, inner.score(batch().images))


def test_features_are_counted_without_changing_the_network():
    network = sngan.Discriminator(SHAPE, Spectral(), width=4).train()
    before = copy.deepcopy(network.state_dict())
    assert conditioning.count_features(network, SHAPE) == 4
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_label_channel_is_the_map_of_the_class():
    seen = []

    class Inner(base.Discriminator):
        def score(self, images):
            seen.append(images)
            return images.flatten(1).sum(1)

    network, given = conditioning.LabelChannel(Inner(), SHAPE, classes=3), batch()
    network(given)
    network(Batch(images=given.images, labels=torch.full((6,), -1)))
    assert seen[0].shape == (6, 2, 8, 8)
    assert torch.equal(seen[0][:, :1], given.images)
    for i, label in enumerate(given.labels):
        assert torch.allclose(seen[0][i, 1] * 2 - 1, network.maps[label, 0], atol=1e-6)
    assert torch.allclose(seen[1][:, 1] * 2 - 1, torch.zeros(6, 8, 8), atol=1e-6)


def test_label_embedding_is_added_to_z():
    inner = mlp.Generator(5, SHAPE, [16])
    network = conditioning.LabelEmbedding(inner, latent_dim=5, classes=3)
    z, labels = torch.randn(4, 5), torch.tensor([2, 0, 1, -1])
    vectors = torch.cat([network.embedding.weight.T, torch.zeros(1, 5)])  # row -1: an unknown label
    assert torch.allclose(network(z, labels), inner(z + vectors[labels]), atol=1e-6)
    halves = torch.tensor([[0.5, 0.5, 0.0]]).expand(4, 3)
    assert torch.allclose(network(z, halves), inner(z + network.embedding.weight[:, :2].mean(1)), atol=1e-6)
    with pytest.raises(ValueError, match="needs labels"):
        network(z)


@pytest.mark.parametrize(
    "wrap",
    [lambda inner: conditioning.LabelEmbedding(inner, 5, 3), with_encoder, lambda inner: GaussianFit(inner, 5)],
)
def test_a_wrapped_generator_starts_as_the_inner_one(wrap):
    class Inner(mlp.Generator):
        start_from = "first.ckpt"

        def load_trained(self, weights):
            self.layers[0].load_state_dict(weights)

        def adapt_to_data(self, mean_image):
            self.mean = mean_image()

    inner = Inner(5, SHAPE, [16])
    network = wrap(inner)
    assert network.start_from == "first.ckpt"
    network.load_trained({"weight": torch.ones(16, 5), "bias": torch.zeros(16)})
    network.adapt_to_data(lambda: 7)
    assert inner.layers[0].weight.eq(1).all()
    assert inner.mean == 7
    assert wrap(mlp.Generator(5, SHAPE, [16])).start_from is None


def test_embedding_equals_concatenation_in_the_first_layer():
    """W (z + e_y) is [W, V] (z, one-hot y) with V = W e."""
    torch.manual_seed(0)
    network = conditioning.LabelEmbedding(mlp.Generator(5, SHAPE, [16]), latent_dim=5, classes=3)
    first = network.network.layers[0]
    z, labels = torch.randn(6, 5), torch.arange(6) % 3
    joined = torch.cat([z, torch.eye(3)[labels]], 1)
    weights = torch.cat([first.weight, first.weight @ network.embedding.weight], 1)
    assert torch.allclose(first(z + network.embedding.weight.T[labels]), joined @ weights.T + first.bias, atol=1e-5)


def test_a_wrapper_compares_examples_if_its_network_does():
    shape = (1, 16, 16)
    for normalization, mixes in ((BatchNormalization(), True), (Spectral(), False)):
        inner = dcgan.Discriminator(shape, normalization, width=4)
        assert conditioning.ClassHead(inner, image_shape=shape, classes=3).mixes_batch == mixes


def test_a_network_without_features_is_refused():
    class Whole(base.Discriminator):
        def score(self, images):
            return images.flatten(1).sum(1)

    with pytest.raises(UserError, match="Whole has no features for a further head"):
        conditioning.ClassHead(Whole(), image_shape=SHAPE, classes=3)


def test_data_without_classes_is_refused():
    makers = (
        lambda: conditioning.LabelEmbedding(mlp.Generator(5, SHAPE, [4]), 5, classes=0),
        lambda: conditioning.LabelChannel(mlp.Discriminator(SHAPE, [4]), SHAPE, classes=1),
        lambda: conditioning.Projection(mlp.Discriminator(SHAPE, [4]), image_shape=SHAPE, classes=0),
    )
    for make in makers:
        with pytest.raises(ValueError, match="classes must be at least 2"):
            make()


@pytest.mark.parametrize("dense", [True, False])
def test_conditional_normalization_has_a_gain_and_a_shift_per_class(dense):
    layer = ConditionalBatch(classes=3).outputs(4, dense=dense).eval()
    x = torch.randn(5, 4) if dense else torch.randn(5, 4, 2, 2)
    assert torch.equal(layer(x), layer.normalization(x))  # without labels, and at the start
    torch.nn.init.normal_(layer.gains)
    torch.nn.init.normal_(layer.shifts)
    layer.labels = torch.tensor([0, 2, 1, -1, 2])
    plain, made = layer.normalization(x), layer(x)
    for i, label in enumerate(layer.labels.tolist()):
        known = label >= 0  # an unknown label has gain 1 and shift 0
        gain = 1 + layer.gains[:, label] if known else torch.ones(4)
        shift = layer.shifts[:, label] if known else torch.zeros(4)
        view = (4,) if dense else (4, 1, 1)
        assert torch.allclose(made[i], plain[i] * gain.view(view) + shift.view(view), atol=1e-6)


def test_generator_gives_its_layers_the_labels():
    torch.manual_seed(0)
    network = dcgan.Generator(5, (1, 16, 16), ConditionalBatch(classes=3), width=4).eval()
    for name, value in network.named_parameters():
        if "gains" in name or "shifts" in name:
            torch.nn.init.normal_(value)
    z = torch.randn(1, 5).expand(2, 5)
    first, second = network(z, torch.tensor([0, 1]))
    assert (first - second).abs().max() > 1e-3
    copied = copy.deepcopy(network)
    assert torch.equal(copied(z, labels=torch.tensor([0, 1]))[1], second)


def test_heads_have_the_normalization_of_the_discriminator():
    spectral = build.module(composed("conditioning=projection", "model=sngan", "model.discriminator.width=4"))
    assert isinstance(spectral.discriminator.vectors.parametrizations.weight[0], SpectralWeight)
    plain = build.module(composed("conditioning=projection")).discriminator.vectors
    assert type(plain) is torch.nn.Linear
