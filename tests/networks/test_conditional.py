"""Labels as inputs of both networks, and how missing labels are drawn."""

import pytest
import torch

from gan.core.batch import Batch
from gan.core.random import RandomRows
from gan.networks.conditional import Discriminator, Generator, Labelled, one_hot

SHAPE = (1, 4, 4)


def test_one_hot_of_unknown_labels_is_zero():
    assert one_hot(torch.tensor([2, -1, 0]), 3).tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]


def test_given_labels_are_kept_and_missing_ones_are_uniform():
    wanted = torch.full((40_000,), -1)
    wanted[:100] = 7
    z, labels = Labelled(3, classes=10)(RandomRows(generator=torch.Generator().manual_seed(0)), wanted)
    assert z.shape == (40_000, 3)
    assert labels[:100].eq(7).all()
    shares = labels[100:].bincount(minlength=10) / 39_900
    assert shares.sub(0.1).abs().max() < 6 * (0.09 / 39_900) ** 0.5  # six standard errors


def test_two_processes_draw_the_labels_of_one():
    latent, wanted = Labelled(3, classes=10), torch.full((8,), -1)
    z, labels = latent(RandomRows(generator=torch.Generator().manual_seed(1)), wanted)
    for rank in (0, 1):
        mine = latent(RandomRows(rank=rank, world=2, generator=torch.Generator().manual_seed(1)), wanted[:4])
        assert torch.equal(mine[0], z[rank::2])
        assert torch.equal(mine[1], labels[rank::2])


def test_both_networks_depend_on_the_label():
    torch.manual_seed(0)
    generator, discriminator = Generator(5, SHAPE, [16], classes=3), Discriminator(SHAPE, [16], classes=3)
    z, images = torch.randn(1, 5).expand(3, 5), torch.rand(1, *SHAPE).expand(3, *SHAPE)
    made = generator(z, torch.arange(3))
    assert made.shape == (3, *SHAPE)
    logits = discriminator(Batch(images=images, labels=torch.arange(3))).logits
    assert logits.shape == (3,)
    for values in (made.flatten(1), logits[:, None]):
        assert all((values[i] - values[j]).abs().max() > 1e-4 for i, j in ((0, 1), (0, 2), (1, 2)))
    with pytest.raises(ValueError, match="needs labels"):
        generator(z)


def test_data_without_classes_is_refused():
    for make in (lambda: Labelled(3, 0), lambda: Generator(3, SHAPE, [4], 0), lambda: Discriminator(SHAPE, [4], 1)):
        with pytest.raises(ValueError, match="classes must be at least 2"):
            make()
