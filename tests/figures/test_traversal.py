"""Each column of a traversal differs from the others in one code only."""

import pytest
import torch

from gan.core.errors import UserError
from gan.figures import Traversal
from gan.figures.traversal import codes, vary
from gan.networks.codes import Codes
from gan.runs.run import open_run
from tests.figures.conftest import DIGITS
from tests.figures.reading import read_picture, tile


def test_only_the_named_code_changes():
    latent, z = Codes(9, [3, 2], 2), torch.arange(18.0).view(2, 9)
    columns = {"category1": (2, 5), "category2": (5, 7), "continuous1": (7, 8), "continuous2": (8, 9)}
    found = codes(latent, steps=4, extent=2.0)
    assert list(found) == list(columns)
    assert found["continuous1"].flatten().tolist() == pytest.approx([-2, -2 / 3, 2 / 3, 2])
    for code, (start, end) in columns.items():
        many = vary(latent, z, code, found[code])
        assert torch.equal(many[:, :, :start], z[:, None, :start].expand(2, len(found[code]), start))
        assert torch.equal(many[:, :, end:], z[:, None, end:].expand(2, len(found[code]), 9 - end))
        assert all(torch.equal(row, found[code]) for row in many[:, :, start:end])


def test_a_picture_for_each_code(trained, tmp_path):
    words = ["latent=codes", "conditioning=codes", "auxiliary=mutual_information"]
    run = open_run(trained(*DIGITS, *words), device="cpu")
    files = Traversal("raw", rows=2, steps=3, seed=1)(run, tmp_path)
    assert [file.name for file in files] == [
        "traversal_category1_raw.png",
        "traversal_continuous1_raw.png",
        "traversal_continuous2_raw.png",
    ]
    z = run.sampler.latents(2, 1)[0]
    z[:, 62:72] = torch.eye(10)[4]
    image = run.sampler.sample("raw", z)[1, 0]
    assert torch.allclose(tile(read_picture(files[0]), 1, 4)[0], image, atol=1 / 255)


def test_a_prior_without_codes_is_refused(digits):
    with pytest.raises(UserError, match=r"needs a prior with codes \(latent=codes\)"):
        Traversal().check(digits)
