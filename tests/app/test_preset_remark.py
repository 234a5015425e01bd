"""An error about a key that a preset sets says so, unless the user has typed the key."""

import pytest

from gan.app.preset_remark import remark

SIZE = "data.image_size must be 4, 8, 16, …, got 1."


@pytest.mark.parametrize(
    ("message", "words", "preset", "expected"),
    [
        (SIZE, ["experiment=ring", "model=dcgan"], "ring", " (experiment=ring sets data)"),
        ("latent.dim must be above 12, got 2.", ["experiment=ring"], "ring", " (experiment=ring sets latent)"),
        (SIZE, ["experiment=ring", "data=grid"], "ring", ""),
        (SIZE, ["experiment=ring", "+data.image_size=1"], "ring", ""),
        ("optim.generator.lr must be a number.", ["experiment=ring"], "ring", ""),
        ("Nothing that begins with a key.", [], "ring", ""),
        (SIZE, [], "none", ""),
        (SIZE, [], None, ""),
    ],
)
def test_remark(message, words, preset, expected):
    assert remark(message, words, preset) == expected


def test_command_line_names_the_preset(command, tmp_path):
    status, output = command("train.py", tmp_path, "experiment=ring", "model=dcgan")
    assert status == 1
    assert output.count("(experiment=ring sets data)") == 1
    assert "data.image_size must be" in output
