"""Snapshots of the 1-D game: against closed forms, and read back from a file."""

import math

import pytest
import torch

from gan.core.errors import UserError
from gan.data.gaussian import Gaussian as Numbers
from gan.figures.snapshot1d import Snapshot, snapshot
from gan.losses.adversarial import Minimax
from gan.methods.gan import GAN
from gan.methods.player import Player
from gan.networks.latents import Gaussian, Spherical
from gan.networks.scalar import Affine, Discriminator

DATA = Numbers(batch_size=4, image_size=1, channels=1, classes=0, seed=1)
GENERATOR = Affine(1, (1, 1, 1), mean=1.0, deviation=0.5)


def game(latent=None):
    torch.manual_seed(0)
    players = {name: Player(torch.optim.SGD) for name in GAN.player_names}
    discriminator = Discriminator((1, 1, 1), [8], 4.0, 1.25)
    return GAN(
        generator=GENERATOR, discriminator=discriminator, latent=latent or Gaussian(1), loss=Minimax(), players=players
    )


def test_snapshot_of_an_affine_generator():
    subject = game()
    now = snapshot(subject, DATA, GENERATOR)
    expected = torch.exp(-(((now.x - 1) / 0.5) ** 2) / 2) / (0.5 * math.sqrt(2 * math.pi))
    assert torch.allclose(now.p_g, expected, atol=1e-3)
    for density in (now.p_g, now.p_data):
        assert torch.trapezoid(density, now.x).item() == pytest.approx(1, abs=1e-6)
    assert now.p_data.argmax() == (now.x - 4).abs().argmin()
    assert torch.allclose(now.g, 0.5 * now.z + 1, atol=1e-6)
    with torch.no_grad():
        d = subject.discriminator.score(now.x[[5, 900]].float().view(2, 1, 1, 1)).sigmoid()
    assert torch.allclose(now.d[[5, 900]], d.double(), atol=1e-6)
    assert subject.discriminator.training


def test_window_covers_a_generator_far_from_the_data():
    far = snapshot(game(), DATA, Affine(1, (1, 1, 1), mean=-300.0, deviation=2.0))
    width = far.x[1] - far.x[0]
    assert (far.p_g.sum() * width).item() == pytest.approx(1, abs=1e-9)
    assert far.x[0] < -300 < far.x[-1]


def test_saved_snapshot_is_loaded_and_bad_files_are_reported(tmp_path):
    now = snapshot(game(), DATA, GENERATOR, points=50)
    again = Snapshot.load(now.save(tmp_path / "new" / "step=0000001.npz"))
    assert torch.equal(again.p_g, now.p_g.float().double())
    assert again.z.shape == (101,)
    (tmp_path / "bad.npz").write_bytes(b"PK nonsense")
    with pytest.raises(UserError, match=r"bad.npz is not readable as a snapshot"):
        Snapshot.load(tmp_path / "bad.npz")


def test_unsupported_runs_are_reported():
    with pytest.raises(UserError, match=r"needs data=gaussian and latent.dim=1"):
        snapshot(game(Gaussian(2)), DATA, GENERATOR)
    with pytest.raises(UserError, match="needs data=gaussian"):
        snapshot(game(), object(), GENERATOR)
    with pytest.raises(UserError, match="latent Spherical has no density on the line"):
        snapshot(game(Spherical(1)), DATA, GENERATOR)


def test_snapshot_of_a_method_without_a_discriminator_has_no_d():
    subject = game()
    del subject.discriminator  # as a VAE
    now = snapshot(subject, DATA, GENERATOR)
    assert now.d.isnan().all()
    assert now.p_g.isfinite().all()
