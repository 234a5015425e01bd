"""Figures of an encoder: which tile shows what."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan.core.errors import UserError
from gan.figures import Attributes, ImageInterpolation, ImageTraversal, Photos, Reconstructions
from gan.figures.photos import attribute_vectors, labelled_files, read_images
from gan.figures.reconstruction import some_test_images, vary
from gan.runs.run import open_run
from tests.figures.reading import read_picture, tile


@pytest.fixture(scope="module")
def encoder(trained):
    words = ["model.generator.hidden=[32]", "model.encoder.hidden=[16]", "latent.dim=4"]
    return open_run(trained("method=autoencoder", *words), device="cpu")


def shown(path, row, column):
    """A gray tile of a picture, (8, 8)."""
    return tile(read_picture(path), row, column)[0]


def close(a, b):
    return torch.allclose(a, b.squeeze(), atol=1 / 254)


def test_rows_of_reconstructions(encoder, tmp_path):
    (path,) = Reconstructions("ema", columns=3, search_steps=2, seed=1)(encoder, tmp_path)
    assert path.name == "reconstruction_ema.png"
    test, sampler = some_test_images(encoder, 3, 1), encoder.sampler
    z, labels = sampler.latents(3, 1)
    samples = sampler.sample("ema", z, labels)
    rows = [test.images, sampler.reconstruct("ema", test.images), None, samples, sampler.reconstruct("ema", samples)]
    for i, row in enumerate(rows):
        for j in range(3):
            assert row is None or close(shown(path, i, j), row[j]), (i, j)


def test_a_generator_without_an_encoder_has_the_search_alone(digits, tmp_path):
    (path,) = Reconstructions("raw", columns=2, search_steps=30, seed=1)(digits, tmp_path)
    test = some_test_images(digits, 2, 1)
    assert read_picture(path).shape[1] < 3 * 60  # two rows
    start = digits.sampler.sample("raw", digits.sampler.latents(2, 1)[0])
    for j in range(2):
        found = shown(path, 1, j)
        assert (found - test.images[j, 0]).norm() < (start[j, 0] - test.images[j, 0]).norm()


def test_paths_lead_from_one_image_to_the_other(encoder, tmp_path):
    (path,) = ImageInterpolation("raw", rows=2, steps=3, seed=1)(encoder, tmp_path)
    assert path.name == "image_interpolation_lerp_raw.png"
    test, sampler = some_test_images(encoder, 4, 1), encoder.sampler
    z = sampler.encode("raw", test.images)
    for row in range(2):
        expected = [test.images[row], test.images[row + 2]]
        assert close(shown(path, row, 0), expected[0])
        assert close(shown(path, row, 4), expected[1])
        for column, code in ((1, z[row]), (2, (z[row] + z[row + 2]) / 2), (3, z[row + 2])):
            assert close(shown(path, row, column), sampler.sample("raw", code[None]))


def test_a_coordinate_per_row():
    codes = torch.tensor([[0.0, 0.0, 0.0], [2.0, 8.0, 0.2], [4.0, 16.0, 0.4]])
    z = vary(torch.tensor([1.0, 1.0, 1.0]), codes, rows=2, steps=3, extent=1.0)
    assert z.shape == (2, 3, 3)
    assert z[0].tolist() == [[1, 0, 1], [1, 8, 1], [1, 16, 1]]  # mean 8, deviation 8
    assert z[1].tolist() == [[0, 1, 1], [2, 1, 1], [4, 1, 1]]


def test_traversal_shows_the_image_first(encoder, tmp_path):
    (path,) = ImageTraversal("raw", rows=2, steps=4, seed=3)(encoder, tmp_path)
    for row in range(2):
        assert close(shown(path, row, 0), some_test_images(encoder, 1, 3).images[0])


@pytest.mark.parametrize("figure", [ImageInterpolation(), ImageTraversal(), Photos(["a.png"]), Attributes("x")])
def test_methods_without_an_encoder_are_refused(digits, figure):
    with pytest.raises(UserError, match="needs a method with an encoder"):
        figure.check(digits)


# Files


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two subfolders of gray images, 12 × 8: dark ones and bright ones."""
    for name, level in (("dark", 30), ("bright", 220)):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for i in range(3):
            image = np.full((8, 12), level + i, dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / "faces" / name / f"{i}.png")
    (tmp_path / "faces" / "notes").mkdir()
    (tmp_path / "faces" / "notes" / "readme.txt").write_text("no image")
    return tmp_path / "faces"


def test_files_are_read_as_the_data_is(encoder, folder):
    images = read_images(encoder, [folder / "dark" / "2.png", folder / "bright" / "0.png"])
    assert images.shape == (2, 1, 8, 8)
    assert images.flatten(1).mean(1).tolist() == pytest.approx([32 / 255, 220 / 255], abs=1e-6)


def test_photos_write_codes_reconstructions_and_a_path(encoder, folder, tmp_path):
    files = [str(folder / "dark" / "0.png"), str(folder / "bright" / "0.png")]
    written = Photos(files, "ema", steps=3)(encoder, tmp_path)
    assert [path.name for path in written] == ["photo_codes_ema.npz", "photos_ema.png", "photo_interpolation_ema.png"]
    images = read_images(encoder, files)
    with np.load(written[0]) as arrays:
        codes = torch.from_numpy(arrays["codes"])
        assert arrays["files"].tolist() == files
    assert torch.equal(codes, encoder.sampler.encode("ema", images))
    made = encoder.sampler.sample("ema", codes)
    for column in range(2):
        assert close(shown(written[1], 0, column), images[column])
        assert close(shown(written[1], 1, column), made[column])
    assert close(shown(written[2], 0, 1), made[0])
    assert close(shown(written[2], 0, 3), made[1])
    assert len(Photos(files[0])(encoder, tmp_path)) == 2


def test_attribute_vectors_by_hand():
    sets = [torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 4.0]]), torch.tensor([[0.0, 1.0]])]
    expected = [[2 - 0, 0 - 2.5], [0 - 4 / 3, 4 - 1 / 3], [0 - 4 / 3, 1 - 4 / 3]]
    assert torch.allclose(attribute_vectors(sets), torch.tensor(expected))


def test_attributes_are_the_subfolders_with_images(encoder, folder, tmp_path):
    assert list(labelled_files(folder)) == ["bright", "dark"]
    arrays, picture = Attributes(str(folder), "raw", steps=3, extent=1.0, seed=2)(encoder, tmp_path)
    with np.load(arrays) as found:
        assert found["names"].tolist() == ["bright", "dark"]
        vectors = torch.from_numpy(found["vectors"])
    assert torch.allclose(vectors[0], -vectors[1], atol=1e-5)
    one = some_test_images(encoder, 1, 2)
    z = encoder.sampler.encode("raw", one.images)
    for column, times in ((1, -1.0), (2, 0.0), (3, 1.0)):
        assert close(shown(picture, 0, column), encoder.sampler.sample("raw", z + times * vectors[0]))


def test_wrong_files_are_one_line(encoder, folder, tmp_path):
    with pytest.raises(UserError, match=r"missing.png: no such file"):
        Photos([str(tmp_path / "missing.png")]).check(encoder)
    with pytest.raises(UserError, match=r"readme.txt cannot be read as an image"):
        Photos([str(folder / "notes" / "readme.txt")]).check(encoder)
    with pytest.raises(UserError, match="has images in 0 of its subfolders"):
        Attributes(str(folder / "dark")).check(encoder)
    with pytest.raises(UserError, match="no such folder"):
        Attributes(str(folder / "none")).check(encoder)
