"""Figures of generators with labels."""

import pytest
import torch

from gan.core.errors import UserError
from gan.figures import ClassGrid, ClassInterpolation
from gan.runs.run import open_run
from tests.figures.conftest import DIGITS
from tests.figures.reading import read_picture, tile


@pytest.fixture(scope="module")
def labelled(trained):
    return open_run(trained(*DIGITS, "conditioning=concatenation", "latent=labelled"), device="cpu")


def test_rows_are_classes_and_columns_have_one_z(labelled, tmp_path):
    (file,) = ClassGrid("raw", columns=3, seed=4)(labelled, tmp_path)
    assert file.name == "classes_raw.png"
    picture, z = read_picture(file), labelled.sampler.latents(3, 4, label=0)[0]
    for label in (0, 9):
        images = labelled.sampler.sample("raw", z, torch.full((3,), label))
        for column in range(3):
            assert torch.allclose(tile(picture, label, column)[0], images[column, 0], atol=1 / 255)


def test_rows_go_from_a_class_to_the_next(labelled, tmp_path):
    (file,) = ClassInterpolation("raw", columns=3, seed=4)(labelled, tmp_path)
    picture, z = read_picture(file), labelled.sampler.latents(10, 4, label=0)[0]
    ends = [labelled.sampler.sample("raw", z, labels) for labels in (torch.arange(10), (torch.arange(10) + 1) % 10)]
    halves = (torch.eye(10) + torch.eye(10)[(torch.arange(10) + 1) % 10]) / 2
    for column, images in ((0, ends[0]), (1, labelled.sampler.sample("raw", z, halves)), (2, ends[1])):
        for row in (0, 9):
            assert torch.allclose(tile(picture, row, column)[0], images[row, 0], atol=1 / 255)


def test_a_generator_without_labels_is_refused(digits, tmp_path):
    for figure in (ClassGrid(), ClassInterpolation()):
        for draw in (figure.check, lambda run, figure=figure: figure(run, tmp_path)):
            with pytest.raises(UserError, match=r"needs a generator with labels \(latent=labelled\)"):
                draw(digits)


def test_samples_of_one_class(labelled, digits):
    z, labels = labelled.sampler.latents(5, 0, label=7)
    assert labels.tolist() == [7] * 5
    assert torch.equal(z, labelled.sampler.latents(5, 0)[0])
    with pytest.raises(UserError, match="label=10: there is no such class in this run; its classes are 0 to 9"):
        labelled.sampler.latents(5, 0, label=10)
    with pytest.raises(UserError, match=r"label=0: .* its generator has no classes"):
        digits.sampler.latents(5, 0, label=0)
    with pytest.raises(UserError, match="label=10: there is no such class in this run; its classes are 0 to 9"):
        labelled.sampler.sample("raw", z, torch.tensor([0, 3, 10, 0, 0]))
    with pytest.raises(UserError, match=r"label=2: .* its generator has no classes"):
        digits.sampler.sample("raw", digits.sampler.latents(5, 0)[0], torch.full((5,), 2))
