"""The autoencoder discriminator."""

import pytest
import torch

from gan.core.batch import Batch
from gan.networks.energy import AutoencoderDiscriminator


@pytest.mark.parametrize("power", [1, 2])
def test_score_is_minus_the_mean_error_of_the_pixels(power):
    network = AutoencoderDiscriminator((1, 4, 4), [12], code=5, power=power)
    images = torch.rand(3, 1, 4, 4)
    output = network(Batch(images=images))
    assert output.features.shape == (3, 5)
    image = network.reconstruct(output.features)
    assert image.min() >= 0
    assert image.max() <= 1
    error = (image - images).abs().pow(power).flatten(1).mean(1)
    assert torch.allclose(output.logits, -error)


def test_one_example_does_not_depend_on_the_others():
    network = AutoencoderDiscriminator((3, 4, 4), [12], code=5)
    images = torch.rand(3, 3, 4, 4)
    alone = torch.cat([network(Batch(images=image[None])).logits for image in images])
    assert torch.allclose(network(Batch(images=images)).logits, alone, atol=1e-6)


def test_gradient_reaches_the_images_and_every_weight():
    network = AutoencoderDiscriminator((1, 4, 4), [12], code=5)
    images = torch.rand(3, 1, 4, 4, requires_grad=True)
    network(Batch(images=images)).logits.sum().backward()
    assert images.grad.abs().sum() > 0
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_another_power_is_refused():
    with pytest.raises(ValueError, match="power must be a whole number of at least 1 and at most 2"):
        AutoencoderDiscriminator((1, 4, 4), [12], code=5, power=3)
