"""The figure of completed images: its rows, and the generators that it is for."""

import pytest
import torch

from gan.core.errors import UserError
from gan.core.images import scale
from gan.figures import Completions
from gan.figures.completion import halves
from gan.runs.run import open_run
from tests.figures.conftest import DIGITS
from tests.figures.reading import read_picture, tile


@pytest.mark.parametrize("words", [(), ("model=conditional", "latent=labelled")])
def test_rows_are_given_pixels_fillings_search_and_the_original(trained, tmp_path, words):
    run = open_run(trained("method=completion", *words, *DIGITS), device="cpu")
    figure = Completions("raw", columns=6, fillings=2, search_steps=2, seed=3)
    (file,) = figure(run, tmp_path)
    assert file.name == "completion_raw.png"
    picture, (images, labels, masks) = read_picture(file), figure.examples(run)
    test, generator = run.data.splits["test"], run.sampler.generator("raw").eval()
    for image, label in zip(images, labels, strict=True):
        same = (scale(test.images) == image).flatten(1).all(1).nonzero()[:, 0]
        assert label in test.labels[same]
    assert torch.equal(masks, halves(8)[torch.tensor([0, 1, 2, 3, 4, 0])])
    z = run.sampler.latents(12, 3)[0].split(6)
    rows = [masks * images + (1 - masks) / 2, *(generator(some, labels, images, masks) for some in z)]
    for row, expected in ((0, rows[0]), (1, rows[1]), (2, rows[2]), (4, images)):
        for column in range(6):
            assert torch.allclose(tile(picture, row, column)[0], expected[column, 0], atol=1 / 255)
    for column in range(6):
        given = masks[column, 0] == 1
        assert torch.allclose(tile(picture, 3, column)[0][given], images[column, 0][given], atol=1 / 255)


def test_other_generators_are_refused(digits, tmp_path):
    for draw in (Completions().check, lambda run: Completions()(run, tmp_path)):
        with pytest.raises(UserError, match="Completions needs method=completion"):
            draw(digits)
