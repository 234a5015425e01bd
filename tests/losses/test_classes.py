"""Class labels: cross-entropy on the known ones; CatGAN's entropies."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy as reference

from gan.core.batch import Batch, Output
from gan.losses.base import Pair
from gan.losses.classes import Categorical, ClassLabels, cross_entropy, entropy


def pair(real, fake, real_labels=None, fake_labels=None, **more):
    """A pair whose class logits are given; an image is its row."""
    return Pair(
        lambda batch: Output(logits=batch.images[:, 0], classes=batch.images),
        Batch(images=real, labels=real_labels, **more),
        Batch(images=fake, labels=fake_labels),
    )


REAL = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [1.0, 1.0, 1.0]])
FAKE = torch.tensor([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 4.0]])


def test_unknown_labels_drop_out_of_the_mean():
    labels = torch.tensor([2, -1, 0])
    assert cross_entropy(REAL, labels).item() == pytest.approx(reference(REAL[[0, 2]], labels[[0, 2]]).item())
    assert cross_entropy(REAL, torch.full((3,), -1)).item() == 0


def test_logits_are_not_passed_through_a_second_softmax():
    """With a softmax before it the cross-entropy of three classes could not fall below log(e + 2) - 1 = .551."""
    certain = 30 * torch.eye(3)
    assert cross_entropy(certain, torch.arange(3)).item() < 1e-6


@pytest.mark.parametrize("generated", [True, False])
def test_discriminator_classifies_real_and_if_asked_generated_examples(generated):
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    labels, wanted = torch.tensor([0, 1, 2]), torch.tensor([1, 0, 2])
    term = ClassLabels(generated=generated, weight=0.5)
    loss = term.discriminator(pair(real, fake, labels, wanted))
    expected = reference(REAL, labels) + (reference(FAKE, wanted) if generated else 0)
    assert loss.item() == pytest.approx(0.5 * expected.item(), rel=1e-6)
    loss.backward()
    assert (real.grad[torch.arange(3), labels] < 0).all()
    assert (fake.grad is not None) == generated


def test_generator_gets_only_its_own_examples():
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    wanted = torch.tensor([1, 0, 2])
    ClassLabels().generator(pair(real, fake, wanted, wanted)).backward()
    assert real.grad is None
    assert (fake.grad[torch.arange(3), wanted] < 0).all()
    assert ClassLabels(generated=False).generator(pair(real, fake, wanted, wanted)) is None


def test_labelled_images_take_the_place_of_the_real_batch():
    few, known = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]), torch.tensor([1, 2])
    unknown = torch.full((3,), -1)
    given = pair(REAL, FAKE, unknown, unknown, labelled_images=few, known_labels=known)
    loss = ClassLabels(generated=False).discriminator(given)
    assert loss.item() == pytest.approx(reference(few, known).item(), rel=1e-6)


def test_entropies_of_catgan_by_hand():
    """Real: one sure of each of two classes; generated: both undecided."""
    sure, undecided = torch.tensor([[40.0, 0.0], [0.0, 40.0]]), torch.zeros(2, 2)
    loss = Categorical()
    given = pair(sure, undecided)
    # E H = 0, H(E p) = log 2 for real ones; E H = log 2 for generated ones
    assert loss.discriminator(given).item() == pytest.approx(-2 * math.log(2), abs=1e-5)
    assert loss.generator(given).item() == pytest.approx(0, abs=1e-6)
    assert loss.generator(pair(undecided, sure)).item() == pytest.approx(-math.log(2), abs=1e-5)
    report = loss.report(given)
    assert report["entropy/fake"].item() == pytest.approx(math.log(2), abs=1e-5)
    assert report["rate/ordered"].item() == 1


def test_catgan_moves_each_player_the_right_way():
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    real, fake = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    Categorical().discriminator(pair(real, fake)).backward()
    assert real.grad[0, 0] < 0 < real.grad[0, 1]  # descending, D becomes surer of real examples
    assert fake.grad[0, 1] < 0 < fake.grad[0, 0]  # and less sure of generated ones
    fake = logits.clone().requires_grad_()
    Categorical().generator(pair(real.detach(), fake)).backward()
    assert fake.grad[0, 0] < 0 < fake.grad[0, 1]


def test_entropy_of_a_certain_class_is_zero_with_a_finite_gradient():
    rows = torch.tensor([[1.0, 0.0], [0.5, 0.5]], requires_grad=True)
    values = entropy(rows)
    assert values.tolist() == pytest.approx([0, math.log(2)])
    values.sum().backward()
    assert rows.grad.isfinite().all()
