"""G matches the mean of D's features."""

import pytest
import torch

from gan.core.batch import Batch, Output
from gan.losses.adversarial import NonSaturating
from gan.losses.base import Pair
from gan.losses.feature_matching import FeatureMatching


def pair(real, fake):
    def discriminator(batch):
        return Output(logits=batch.images.sum(1), features=batch.images)

    return Pair(discriminator, Batch(images=real), Batch(images=fake))


def test_generator_minimizes_the_squared_distance_of_means():
    real, fake = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 0.0], [2.0, 2.0]], requires_grad=True)
    loss = FeatureMatching().generator(pair(real, fake))
    assert loss.item() == pytest.approx((1.0 + 4.0) / 2)  # means (2, 3) and (1, 1)
    loss.backward()
    # d/dfake: 2 (mean fake - mean real) / features / batch
    assert fake.grad.tolist() == [[-0.5, -1.0], [-0.5, -1.0]]


def test_discriminator_has_the_loss_of_the_paper_of_2014():
    real, fake = torch.randn(4, 3), torch.randn(4, 3)
    ours, theirs = FeatureMatching().discriminator(pair(real, fake)), NonSaturating().discriminator(pair(real, fake))
    assert torch.equal(ours, theirs)
