"""The plane figure: samples and real points of a run in two dimensions."""

import pytest
import torch

from gan.app.sample import save_images
from gan.core.errors import UserError
from gan.figures import Grid, Plane, Progress
from gan.figures.drawing import plane
from gan.figures.field import see_field
from gan.runs.run import open_run
from tests.figures.reading import frames, read_picture

POINTS = ("data=ring", "model=points", "latent.dim=2", "data.batches_per_epoch=6", "callbacks.plane.every_n_batches=3")


@pytest.fixture(scope="module")
def points_folder(trained):
    return trained(*POINTS)


@pytest.fixture
def points(points_folder):
    return open_run(points_folder, device="cpu")


@pytest.mark.parametrize("name", ["raw", "ema"])
def test_plane_shows_the_requested_samples(points, tmp_path, name):
    (path,) = Plane(name, count=50, seed=7)(points, tmp_path / "new")
    assert path == tmp_path / "new" / f"plane_{name}.png"
    samples = points.sampler.sample(name, points.sampler.latents(50, 7)[0])
    real = points.data.splits["train"].images[:50]
    expected = plane(real, samples, *see_field(points.module, real, samples))
    assert torch.allclose(read_picture(path), expected, atol=1 / 255)


def test_default_generator_is_the_ema_if_there_is_one(points, tmp_path):
    assert Plane()(points, tmp_path)[0].name == "plane_ema.png"
    with pytest.raises(ValueError, match="count must be a whole number of at least 1, got 0"):
        Plane(count=0)


def test_progress_animates_saved_planes(points, tmp_path):
    Progress("raw").check(points)
    assert len(frames(Progress("raw")(points, tmp_path)[0])[0]) == 1 + 3  # batches 0, 3, 6


def test_figures_for_points_refuse_images_and_vice_versa(points, digits, tmp_path):
    with pytest.raises(UserError, match=r"needs points \(data=ring, data=grid\)"):
        Plane()(digits, tmp_path)
    with pytest.raises(UserError, match=r"data.channels=2: .* figures=plane"):
        Grid()(points, tmp_path)
    with pytest.raises(UserError, match=r"data.channels=2: .* figures=plane"):
        Grid().check(points)
    with pytest.raises(UserError, match=r"data.channels=2: images need 1 or 3 channels"):
        save_images(tmp_path / "images", points.sampler.sample("raw", points.sampler.latents(2, 0)[0]))
    assert not list(tmp_path.rglob("*.png"))
