"""Paths and names on the command line are taken as the shell gives them."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from gan.app.command_line import checked
from gan.app.quoting import quote_values
from tests.conftest import SMALL


def read(word):
    """The value that Hydra reads after the quoting."""
    (quoted,) = quote_values([word])
    assert quote_values([quoted]) == [quoted]  # as in a second process
    return OverridesParser.create().parse_override(quoted).value()


NAMES = [
    "epoch=0001",
    "lr=0.1,k=2",
    "a[1]",
    "{x}",
    "it's",
    'say "x"',
    "D(x)",
    "back\\slash",
    "end\\",
    "bücher",
    "ä=1,\nb",
]


@pytest.mark.parametrize(
    "name", [*NAMES, "caf\udce9", "1", "1e5", "nan", "true", "[1,2]", "a,b", "~", "a b", "range(1,3)"]
)
@pytest.mark.parametrize("key", ["run", "data.root", "ckpt_path", "+callbacks.mine.folder", "data.cache_dir"])
def test_existing_path_is_taken_as_it_stands(tmp_path, monkeypatch, key, name):
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    if name != "~":
        assert read(f"{key}={name}") == name
    assert read(f"{key}={tmp_path / name}") == str(tmp_path / name)


def test_other_values_stay_as_they_are(tmp_path, monkeypatch):
    for name in ("1", "null", "a,b", "[1]", "minimax,nonsaturating"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    words = ["seed=1", "ckpt_path=null", "k=a,b", "hidden=[1]", "loss=minimax,nonsaturating", "~callbacks.progress"]
    words += [
        "data.root=x,y",
        "objective=D(x)",
        "objective='D(x)'",
        "k=",
        "--multirun",
        "-m",
        "data.root=${oc.env:HOME}/x",
    ]
    words += ["run='a\\'b'", "data.root=plain/path", "seed=range(1,4)", "+callbacks.x={_target_: my.Callback}"]
    assert quote_values(words) == words


@pytest.mark.parametrize("name", ["epoch=0001", "iteration=0000500", "lr=0.1", "bücher", "a#1"])
def test_text_with_one_meaning_needs_no_quotes(name):
    assert read(f"checkpoint={name}") == name


@pytest.mark.parametrize("word", ["{key}=~/x", "{key}='~/x'", '{key}="~/x"'])
@pytest.mark.parametrize(
    "key", ["data.root", "ckpt_path", "output_dir", "run", "folder", "data.cache_dir", "hydra.sweep.dir"]
)
def test_tilde_is_the_home_directory(monkeypatch, key, word):
    monkeypatch.setenv("HOME", "/home/k=1")
    assert read(word.format(key=key)) == "/home/k=1/x"
    assert quote_values(["--config-dir=~/conf", "~logger"]) == ["--config-dir=/home/k=1/conf", "~logger"]


def test_tilde_is_the_home_directory_in_every_command(monkeypatch):
    monkeypatch.setenv("HOME", "/nowhere")
    assert checked(["data=folder", "data.root=~/x"], "train").words == ["data=folder", "data.root='/nowhere/x'"]
    assert checked(["run=~/x", "folder=~/y"], "sample").words == ["run='/nowhere/x'", "folder='/nowhere/y'"]


def test_run_with_special_characters_is_trained_sampled_and_resumed(tmp_path, command, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    words = [*SMALL, "callbacks.checkpoint.keep_every_n_epochs=1", "recipe.epochs=1"]
    assert command("train.py", tmp_path, *words, "output_dir=~/lr=0.1")[0] == 0
    assert not Path(tmp_path / "~").exists()
    (tmp_path / "lr=0.1").rename(tmp_path / "lr=0.1,k=[1]")
    status, output = command("sample.py", tmp_path, "run=lr=0.1,k=[1]", "checkpoint=epoch=0001")
    assert (status, "epoch=0001.ckpt" in output) == (0, True), output
    last = "ckpt_path=lr=0.1,k=[1]/checkpoints/last.ckpt"
    status, output = command("train.py", tmp_path, last, "recipe.epochs=2", "output_dir=~/rest")
    assert (status, "resuming from iteration" in output) == (0, True), output
