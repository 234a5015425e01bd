"""Wrappers of D: which examples it sees together, and the penalties on what it sees."""

import pytest
import torch

from gan.core.batch import Batch, Output
from gan.core.errors import UserError
from gan.core.random import RandomRows
from gan.losses.adversarial import NonSaturating
from gan.losses.base import Pair
from gan.losses.gradient_penalty import Dragan, GradientPenalty
from gan.losses.penalties import R1, R2
from gan.networks import base, conditional, conditioning, mlp
from gan.networks.views import Augmented, Packed, shifted
from gan.runs.build import build
from tests.test_conf import BARE, composed


class Quadratic(base.Discriminator):
    """t(x) = ½ a ‖x‖², so that ∇t = a x."""

    def __init__(self, a=3.0):
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(a))

    def score(self, images):
        return 0.5 * self.a * images.square().flatten(1).sum(1)


def numbered(count, channels=1, offset=0.0):
    """Images 1×2 whose pixels are (i, -i) in channel 0, 100 more in the next one, …"""
    rows = torch.arange(count).float().view(-1, 1, 1, 1) + offset
    image = torch.cat([rows, -rows], 3)
    return torch.cat([image + 100 * channel for channel in range(channels)], 1)


def packs(images, size):
    """(B, C, H, W) to (B / size, size · C, H, W)."""
    return torch.cat(images.chunk(size), 1)


def test_inner_discriminator_gets_the_images_of_a_pack_as_channels():
    seen = []
    network = Packed(Quadratic(), 3)
    network.network.register_forward_pre_hook(lambda net, inputs: seen.append(inputs[0].images))
    network(Batch(images=numbered(6, channels=2)))
    assert seen[0].shape == (2, 6, 1, 2)
    assert seen[0][0, :, 0, 0].tolist() == [0, 100, 2, 102, 4, 104]
    assert seen[0][1, :, 0, 0].tolist() == [1, 101, 3, 103, 5, 105]


def test_score_of_a_pack_is_that_of_its_images_as_channels():
    torch.manual_seed(0)
    inner = mlp.Discriminator((2, 1, 2), [5])
    network, images = Packed(inner, 2), torch.rand(6, 1, 1, 2)
    expected = inner.score(torch.cat([images[:3], images[3:]], 1))
    assert torch.equal(network(Batch(images=images, labels=torch.arange(6))).logits, expected)


def test_loss_is_the_mean_over_packs_and_reaches_every_image():
    network = Packed(Quadratic(), 2)
    real, fake = (Batch(images=numbered(4, offset=k / 10).requires_grad_(True)) for k in (1, 2))
    pair = Pair(network, real, fake)
    # ½ · 3 · 2 · (i² + (i + 2)²) for the rows i and i + 2
    squares = [3 * ((i + 0.1) ** 2 + (i + 2.1) ** 2) for i in range(2)]
    assert pair.real_output.logits.tolist() == pytest.approx(squares, rel=1e-5)
    loss = NonSaturating().discriminator(pair)
    expected = torch.nn.functional.softplus(-pair.real_output.logits).mean()
    expected = expected + torch.nn.functional.softplus(pair.fake_output.logits).mean()
    assert torch.equal(loss, expected)
    (at_samples,) = torch.autograd.grad(NonSaturating().generator(pair), fake.images)
    assert (at_samples.flatten(1).abs().sum(1) > 0).all()


@pytest.mark.parametrize(("term", "offset"), [(R1, 0.1), (R2, 0.2)])
def test_penalty_has_one_norm_for_each_pack(term, offset):
    network = Packed(Quadratic(), 2)
    real, fake = (Batch(images=numbered(6, offset=k)) for k in (0.1, 0.2))
    penalty = term(weight=2.0).discriminator(Pair(network, real, fake))
    norms = [9 * 2 * ((i + offset) ** 2 + (i + 3 + offset) ** 2) for i in range(3)]  # a² ‖x‖² of both images
    assert penalty.item() == pytest.approx(sum(norms) / 3, rel=1e-5)
    (slope,) = torch.autograd.grad(penalty, network.network.a)
    assert slope.item() == pytest.approx(2 / 3 * sum(norms) / 3, rel=1e-5)


def test_interpolation_has_one_point_for_each_pack():
    """The penalty of Packed on images is that of its inner D on the images as channels, with the same numbers."""
    inner = Quadratic(0.4)
    real, fake = torch.rand(6, 1, 1, 2), torch.rand(6, 1, 1, 2)
    for term in (GradientPenalty(), Dragan(deviation=0.0)):
        values = []
        for network, view in ((Packed(inner, 2), lambda x: x), (inner, lambda x: packs(x, 2))):
            random = RandomRows(generator=torch.Generator().manual_seed(3))
            values.append(term.discriminator(Pair(network, Batch(view(real)), Batch(view(fake)), random)))
        assert values[0].item() == pytest.approx(values[1].item(), rel=1e-6)


def test_pack_of_one_is_the_network_itself():
    inner = mlp.Discriminator((1, 1, 2), [5])
    network, images = Packed(inner, 1), torch.rand(4, 1, 1, 2)
    assert torch.equal(network(Batch(images=images)).logits, inner.score(images))
    assert (network.mixes_batch, network.needs_whole_batch, network.pack) == (False, False, 1)


def test_packs_forbid_a_joint_pass_but_not_several_processes():
    network = Packed(mlp.Discriminator((2, 1, 2), [5]), 2)
    assert (network.mixes_batch, network.needs_whole_batch, network.pack) == (True, False, 2)
    normalized = Packed(mlp.Discriminator((2, 1, 2), [5], batch_norm=True), 2)
    assert (normalized.mixes_batch, normalized.needs_whole_batch) == (True, True)


def test_discriminators_of_single_examples_are_refused():
    shape = (2, 8, 8)
    inner = mlp.Discriminator(shape, [5])
    for network in (
        conditional.Discriminator(shape, [5], classes=3),
        conditioning.ClassHead(inner, image_shape=shape, classes=3),
        conditioning.LabelChannel(mlp.Discriminator((3, 8, 8), [5]), shape, classes=3),
    ):
        with pytest.raises(UserError, match=r"view.packed: a pack has no single label, code or z"):
            Packed(network, 2)


def test_wrapper_passes_on_what_the_inner_discriminator_is():
    class Inner(base.Discriminator):
        is_energy, offers, describes_examples, pack = True, frozenset({"classes"}), True, 3

        def forward(self, batch):
            return Output(logits=batch.images.sum((1, 2, 3)))

    network = conditioning.Wrapper(Inner())
    found = (network.is_energy, network.offers, network.describes_examples, network.pack)
    assert found == (True, {"classes"}, True, 3)


@pytest.mark.parametrize(
    "words",
    [
        ["data.batch_size=8"],
        ["view.packed.pack=4", "model=dcgan", "data.batch_size=8"],
        ["loss=relativistic", "penalty=[r1,r2]", "view.packed.pack=3", "data.batch_size=9"],
        ["loss=wasserstein", "penalty=gradient_penalty", "data.batch_size=8"],
        ["loss=ebgan", "model=energy", "data.batch_size=8"],
        ["data=ring", "model=points", "optim.simultaneous=true", "data.batch_size=8"],
    ],
)
def test_packed_training_takes_steps_of_both_players(tmp_path, run_training, words):
    module = run_training(composed(tmp_path, "view=packed", *words, *BARE, "trainer.max_steps=2")).module
    assert module.iteration == 2
    assert all(p.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["view.packed.pack=3"], r"data.batch_size must be a multiple of view.packed.pack=3, got 64"),
        (["view.packed.pack=0"], r"view.packed.pack must be a whole number of at least 1, got 0"),
        (["conditioning=projection"], r"view.packed: a pack has no single label, code or z"),
        (["model=conditional"], r"view.packed: a pack has no single label, code or z"),
        (
            ["model=mlp_bn", "+model.discriminator.batch_norm=true", "data.batch_size=2"],
            r"data.batch_size must be at least 4 for batch normalization",
        ),
    ],
)
def test_packs_that_cannot_be_are_refused_in_one_line(configure, words, message):
    with pytest.raises(UserError, match=message):
        build(configure("view=packed", *words))


def test_shift_moves_each_image_by_its_own_pixels():
    images = torch.arange(1.0, 9.0).view(2, 1, 2, 2)
    assert shifted(images, torch.tensor([1, -1]), 2, 0.5).flatten(1).tolist() == [[0.5, 0.5, 1, 2], [7, 8, 0.5, 0.5]]
    assert shifted(images, torch.tensor([1, 0]), 3, 0.0).flatten(1).tolist() == [[0, 1, 0, 3], [5, 6, 7, 8]]
    assert torch.equal(shifted(images, torch.tensor([2, -2]), 3, 0.5), torch.full((2, 1, 2, 2), 0.5))


class Keeps(base.Discriminator):
    """Its features are what it sees."""

    def forward(self, batch):
        return Output(logits=batch.images.flatten(1).sum(1), features=batch.images)


def augmented(images, seed=0, **changes):
    torch.manual_seed(seed)
    none = {"brightness": 0.0, "translation": 0.0, "cutout": 0.0}
    network = Augmented(Keeps(), images.shape[1:], **none | changes).train()
    return network(Batch(images=images, labels=torch.zeros(len(images)))).features


def test_each_change_is_that_of_the_paper():
    images = 0.2 + 0.6 * torch.rand(200, 2, 8, 8)
    assert torch.equal(augmented(images), images)
    brighter = augmented(images, brightness=0.25) - images
    assert brighter.flatten(1).std(1).max() < 1e-6  # one number for each image
    ends = brighter.flatten(1)[:, 0]
    assert ends.abs().max() <= 0.25 + 1e-6
    assert (ends.min(), ends.max()) < (torch.tensor(-0.23), torch.tensor(0.26))
    assert ends.max() > 0.23
    moved = augmented(images, translation=0.125, fill=0.0)  # by at most one pixel in each direction
    found = set()
    for before, after in zip(images, moved, strict=True):
        padded = torch.nn.functional.pad(before, (1, 1, 1, 1))
        windows = {(y, x): padded[:, y : y + 8, x : x + 8] for y in range(3) for x in range(3)}
        found |= {place for place, window in windows.items() if torch.equal(window, after)}
    assert len(found) == 9
    holes = augmented(images, cutout=0.5, fill=0.0) == 0
    assert torch.equal(holes[:, 0], holes[:, 1])
    sizes = holes[:, 0].flatten(1).sum(1)
    assert (sizes.min(), sizes.max()) == (4, 16)  # 4×4, and 2×2 of it in a corner
    rows = holes[:, 0].any(2).sum(1) * holes[:, 0].any(1).sum(1)
    assert torch.equal(rows, sizes)  # rectangles


def test_sides_are_rounded_and_both_axes_are_drawn_on_their_own():
    """Shares of 6 pixels: shifts of .25 · 6 = 1.5 go up to 2 pixels, holes of .75 · 6 = 4.5 have 5, at 6 places."""
    images = 1 + torch.rand(400, 1, 6, 6)
    moved = augmented(images, translation=0.25, fill=0.0) == 0
    rows, columns = moved[:, 0].all(2).sum(1), moved[:, 0].all(1).sum(1)
    assert (rows.max(), columns.max()) == (2, 2)
    assert (rows != columns).any()
    holes = augmented(images, cutout=0.75, fill=0.0)[:, 0] == 0
    spans = [holes.any(axis) for axis in (2, 1)]  # the rows and the columns of each hole, (400, 6)
    found = [{tuple(span) for span in side.int().tolist()} for side in spans]
    middles = range(6)
    expected = {tuple(int(abs(place - middle) <= 2) for place in range(6)) for middle in middles}
    assert found == [expected, expected]
    assert (spans[0] != spans[1]).any()


def test_gradient_flows_through_the_changes_to_the_pixels_that_are_seen():
    images = (2 + torch.rand(20, 1, 8, 8)).requires_grad_(True)  # none is the fill
    seen = augmented(images, brightness=0.25, translation=0.125, cutout=0.5, fill=0.0)
    (slope,) = torch.autograd.grad(seen.sum(), images)
    assert set(slope.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(slope.sum((1, 2, 3)), (seen != 0).sum((1, 2, 3)).float())


def test_images_are_not_changed_in_evaluation():
    network, images = Augmented(Keeps(), (1, 8, 8)), torch.rand(3, 1, 8, 8)
    assert torch.equal(network.eval()(Batch(images=images)).features, images)
    assert not torch.equal(network.train()(Batch(images=images)).features, images)


def test_views_are_applied_in_the_order_in_which_they_are_named(configure):
    network = build(configure("view=[augmented,packed]")).module.discriminator
    assert [type(n).__name__ for n in (network, network.network)] == ["Augmented", "Packed"]
    assert network.network.network.layers[0].in_features == 2 * 64
    network = build(configure("view=[packed,augmented]", "conditioning=none")).module.discriminator
    assert [type(n).__name__ for n in (network, network.network)] == ["Packed", "Augmented"]
    projected = build(configure("view=augmented", "conditioning=projection")).module.discriminator
    assert [type(n).__name__ for n in (projected, projected.network)] == ["Augmented", "Projection"]


def test_points_are_not_augmented(configure):
    with pytest.raises(UserError, match=r"view.augmented shifts and cuts images of at least 4×4 pixels"):
        build(composed("unused", "data=ring", "model=points", "view=augmented"))
