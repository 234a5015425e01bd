"""Comparisons of a batch's examples against loops, and what they do to D's gradient."""

import pytest
import torch

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.networks import conditional, conditioning, mlp
from gan.networks.minibatch import MinibatchDeviation, MinibatchDiscrimination
from gan.networks.normalization import Spectral
from gan.runs.build import build
from tests.test_conf import BARE, composed

SHAPE = (1, 4, 4)
BOTH = [
    lambda inner: MinibatchDiscrimination(inner, image_shape=SHAPE, kernels=3, width=2),
    lambda inner: MinibatchDeviation(inner, image_shape=SHAPE),
]


@pytest.fixture
def inner():
    torch.manual_seed(0)
    return mlp.Discriminator(SHAPE, [12, 6])


def test_discrimination_is_a_sum_over_the_other_examples(inner):
    network, images = MinibatchDiscrimination(inner, image_shape=SHAPE, kernels=3, width=2), torch.rand(5, *SHAPE)
    features = inner.features(images)
    rows = (features @ network.projection.weight.T).view(5, 3, 2)
    expected = inner.score(images).detach().clone()
    for i in range(5):
        for k in range(3):
            near = sum((-(rows[i, k] - rows[j, k]).abs().sum()).exp() for j in range(5) if j != i)
            expected[i] += network.weight.weight[0, k] * near
    output = network(Batch(images=images))
    assert torch.allclose(output.logits, expected, atol=1e-5)
    assert torch.equal(output.features, features)


def test_discrimination_of_equal_examples_is_their_number(inner):
    network = MinibatchDiscrimination(inner, image_shape=SHAPE, kernels=3, width=2)
    assert torch.allclose(network.compare(torch.ones(5, 6)), torch.full((5, 3), 4.0))
    assert torch.allclose(network.compare(torch.eye(6)[:1]), torch.zeros(1, 3))


def test_deviation_is_the_mean_over_features(inner):
    network = MinibatchDeviation(inner, image_shape=SHAPE)
    features = torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0], [2.0, 4.0]])
    expected = (2**0.5 + 1.5) / 2  # variances (4 + 0 + 4 + 0) / 4 and 2.25
    assert network.compare(features).flatten().tolist() == pytest.approx([expected] * 4, rel=1e-5)
    images = torch.rand(4, *SHAPE)
    added = network.weight.weight * inner.features(images).std(0, correction=0).mean()
    assert torch.allclose(network(Batch(images=images)).logits, inner.score(images) + added, atol=1e-5)


@pytest.mark.parametrize("make", BOTH)
def test_scores_depend_on_the_other_examples_and_slopes_are_finite_where_all_are_equal(inner, make):
    network, images = make(inner), torch.rand(3, *SHAPE)
    before = network(Batch(images=images)).logits
    changed = network(Batch(images=torch.cat([images[:2], 1 - images[2:]]))).logits
    assert (before[:2] != changed[:2]).all()
    equal = images[:1].repeat(4, 1, 1, 1).requires_grad_(True)
    (slope,) = torch.autograd.grad(network(Batch(images=equal)).logits.sum(), equal)
    assert slope.isfinite().all()


def test_weight_of_the_deviation_is_learned_beside_spectral_normalization(inner):
    """The slope of a logit with respect to w is s."""
    network = MinibatchDeviation(inner, image_shape=SHAPE, normalization=Spectral())
    output = network(Batch(images=torch.rand(6, *SHAPE)))
    (slope,) = torch.autograd.grad(output.logits.sum(), [*network.weight.parameters()])
    assert slope.item() == pytest.approx(network.compare(output.features).sum().item(), rel=1e-5)
    assert slope.item() > 0.01


@pytest.mark.parametrize("make", BOTH)
def test_examples_are_compared_so_the_batch_may_not_be_divided(inner, make):
    network = make(inner)
    assert (network.mixes_batch, network.needs_whole_batch, network.describes_examples) == (True, True, False)


@pytest.mark.parametrize("make", BOTH)
def test_a_discriminator_without_features_is_refused(make):
    with pytest.raises(UserError, match="has no features for a further head"):
        make(conditional.Discriminator(SHAPE, [4], classes=3))
    with pytest.raises(UserError, match="ClassHead has no features for a further head"):
        make(conditioning.ClassHead(mlp.Discriminator(SHAPE, [4]), image_shape=SHAPE, classes=3))


@pytest.mark.parametrize("view", ["minibatch_discrimination", "minibatch_deviation"])
def test_comparisons_train_and_refuse_several_processes(tmp_path, run_training, view):
    sizes = ["data.batch_size=8", "trainer.max_steps=2"]
    for words in (["loss=relativistic"], [f"view=[packed,{view}]", "model=dcgan"], ["loss=wasserstein"]):
        module = run_training(composed(tmp_path, f"view={view}", *BARE, *sizes, *words)).module
        assert all(p.isfinite().all() for p in module.parameters())
    with pytest.raises(UserError, match=r"trainer.devices: model.discriminator compares the examples of a batch"):
        build(composed(tmp_path, f"view={view}", "trainer=ddp", "trainer.accelerator=cpu"))
