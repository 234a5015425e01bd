"""Sizes that no machine holds and files that cannot be used end in one line."""

import errno

import pytest
from omegaconf import OmegaConf

import gan
from gan.app.failures import in_one_line
from gan.core.errors import UserError
from tests.conftest import SMALL

HUGE = [
    ["callbacks.sample_grids.count=1000000000000000"],
    ["latent.dim=99999999999999999999"],
    ["model.generator.hidden=[9999999999999999]"],
    ["data=ring", "data.examples=1000000000000000"],
]


@pytest.mark.parametrize("words", HUGE, ids=lambda words: words[-1])
def test_huge_size_is_named_before_the_first_step(tmp_path, words):
    with pytest.raises(UserError) as error:
        gan.train(*SMALL, "trainer.max_steps=2", "logger=none", *words, folder=tmp_path / "run")
    message = str(error.value)
    assert words[-1].partition("=")[0] in message.replace("hidden.0", "hidden")
    assert "\n" not in message
    assert len(message) < 300
    assert not list(tmp_path.rglob("*.ckpt"))


def test_huge_number_of_samples_is_named(tmp_path, command):
    gan.train(*SMALL, "trainer.max_steps=2", "logger=none", folder=tmp_path / "run")
    for count in ("1000000000000000", "99999999999999999999999999"):
        for words in (
            ["sample.py"],
            ["sample.py", "figures=none", "save_images=true"],
            ["evaluate.py", "metrics=frechet"],
        ):
            status, output = command(words[0], tmp_path, "run=run", f"num_samples={count}", *words[1:])
            assert status == 1
            assert output.splitlines()[-1].startswith("error: ")
            assert f"num_samples={count}" in output.replace("num_samples must be below 2^63, got ", "num_samples=")


def test_error_of_the_operating_system_names_a_file():
    def fails(error):
        def task(cfg):
            raise error

        return in_one_line(task)

    cfg = OmegaConf.create({"run": "runs/7"})
    with pytest.raises(UserError, match=r"^x\.png: No space left on device\.$"):
        fails(OSError(errno.ENOSPC, "No space left on device", "x.png"))(cfg)
    with pytest.raises(UserError, match=r"^runs/7: No space left on device\.$"):
        fails(OSError(errno.ENOSPC, "No space left on device"))(cfg)
    with pytest.raises(KeyError):
        fails(KeyError("a"))(cfg)
