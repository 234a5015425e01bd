"""Completion: masks, what is given stays as it is, and whom a step trains."""

import pytest
import torch

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.core.random import RandomRows
from gan.figures.completion import halves, search
from gan.networks import base, mlp
from gan.networks.completion import Completing, rectangles
from gan.runs.build import build

SHAPE = (2, 6, 6)


def seeded(**rows):
    return RandomRows(generator=torch.Generator().manual_seed(0), **rows)


def test_a_rectangle_or_everything_is_missing():
    masks = rectangles(seeded(), 20_000, 6, empty=0.25)
    assert masks.shape == (20_000, 1, 6, 6)
    missing = 1 - masks[:, 0]
    rows, columns = missing.amax(2), missing.amax(1)
    assert torch.equal(missing, rows[:, :, None] * columns[:, None, :])  # the product of two sets
    for ends in (rows, columns):
        assert ends.sum(1).min() >= 1
        assert torch.equal(ends.diff(dim=1).clamp(min=0).sum(1) + ends[:, 0], torch.ones(20_000))  # intervals
    whole = missing.flatten(1).min(1).values.mean().item()
    assert whole == pytest.approx(0.25 + 0.75 * (2 / 36) ** 2, abs=0.02)  # an interval's ends: first and last pixel
    assert rectangles(seeded(), 50, 6, empty=1.0).sum() == 0


def test_two_processes_draw_the_masks_of_one():
    whole = rectangles(seeded(), 8, 6)
    for rank in (0, 1):
        assert torch.equal(rectangles(seeded(rank=rank, world=2), 4, 6), whole[rank::2])


def test_given_pixels_stay_and_missing_ones_depend_on_them():
    torch.manual_seed(0)
    network = Completing(mlp.Generator(5, SHAPE, [16]), 5, SHAPE, [12])
    z, images, masks = torch.randn(4, 5), torch.rand(4, *SHAPE), rectangles(seeded(), 4, 6, empty=0.0)
    filled = network(z, None, images, masks)
    given = masks.expand(4, *SHAPE) == 1
    assert torch.equal(filled[given], images[given])
    other = torch.where(given, images.flip(0), torch.rand(4, *SHAPE))
    changed = network(z, None, other, masks)
    assert (changed - filled)[~given].abs().max() > 1e-4
    hidden = torch.where(given, images, torch.rand(4, *SHAPE))  # only missing pixels differ
    assert torch.equal(network(z, None, hidden, masks), filled)


def test_nothing_given_is_the_empty_mask():
    network = Completing(mlp.Generator(5, SHAPE, [16]), 5, SHAPE, [12])
    z = torch.randn(3, 5)
    assert torch.equal(network(z), network(z, None, torch.rand(3, *SHAPE), torch.zeros(3, 1, 6, 6)))


def test_steps_train_the_encoder_with_the_generator(configure):
    method = build(configure("method=completion", "logger=none", "callbacks=none")).module
    weights = dict(method.named_parameters())
    players = {name: set(map(id, method.parameters_of(name))) for name in method.player_names}
    encoder = {id(value) for name, value in weights.items() if name.startswith("generator.encoder")}
    assert encoder
    assert encoder <= players["generator"]
    assert not encoder & players["discriminator"]


def test_generated_examples_keep_the_given_pixels_of_real_ones(configure, monkeypatch):
    method = build(configure("method=completion", "method.empty=0.0", "logger=none", "callbacks=none")).module
    monkeypatch.setattr(type(method), "random_rows", property(lambda self: RandomRows()))
    images = torch.rand(16, 1, 8, 8)
    torch.manual_seed(3)
    made = method.fake(Batch(images=images, labels=torch.full((16,), -1))).images
    same = (made == images).float().mean().item()
    assert 0.2 < same < 0.95


def test_other_generators_are_refused(configure):
    with pytest.raises(UserError, match="method=completion needs a generator that is given pixels"):
        build(configure("method=completion", "conditioning=none"))


def test_search_finds_the_latent_of_a_linear_generator():
    class Linear(base.Generator):
        def __init__(self):
            super().__init__()
            self.map = torch.nn.Linear(3, 36, bias=False)

        def forward(self, z, labels=None):
            return self.map(z).view(-1, 1, 6, 6)

    torch.manual_seed(0)
    network, z = Linear(), torch.randn(5, 3)
    images, masks = network(z).detach(), halves(6)
    found = search(network, torch.zeros(5, 3), images, masks, steps=1500)
    assert torch.allclose(found, images, atol=0.02)
    assert not any(p.grad is not None for p in network.parameters())
