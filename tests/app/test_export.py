"""export.py: the files, their folder, and its error messages."""

import builtins
import contextlib
import errno
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import gan
from gan.core.errors import UserError
from gan.runs.run import open_run
from tests.conftest import small, trained_experiment


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    trained_experiment(small(folder, "trainer.max_steps=2"))
    return folder


@pytest.fixture
def trained(original, tmp_path):
    return shutil.copytree(original, tmp_path / "run")


def test_command_writes_the_ema_and_refuses_to_replace_it(trained, tmp_path, command):
    status, output = command("export.py", tmp_path, "run=run")
    assert status == 0
    assert "→ run/export/model.safetensors" in output
    weights = load_file(trained / "export" / "model.safetensors")
    ema = open_run(trained, device="cpu").sampler.generator("ema").state_dict()
    assert weights.keys() == ema.keys()
    assert all(torch.equal(weights[name], ema[name]) for name in ema)
    before = (trained / "export" / "model.safetensors").stat().st_mtime_ns
    status, output = command("export.py", tmp_path, "run=run", "generator=raw")
    assert status == 1
    assert output.splitlines()[-1].startswith("error: run/export/model.safetensors exists; give overwrite=true")
    assert (trained / "export" / "model.safetensors").stat().st_mtime_ns == before


def test_function_writes_the_chosen_generator_to_a_folder(trained, tmp_path):
    run = open_run(trained, device="cpu")
    written = gan.export(run, folder=tmp_path / "here", generator="raw")
    assert sorted(path.name for path in written) == sorted(path.name for path in (tmp_path / "here").iterdir())
    weights = load_file(tmp_path / "here" / "model.safetensors")
    assert all(torch.equal(weights[name], value) for name, value in run.sampler.generator("raw").state_dict().items())
    (page,) = gan.export(run, "html", tmp_path / "here", half_weights=False)
    assert page.name == "explorer.html"
    with pytest.raises(UserError, match="no such choice"):
        gan.export(run, "gif")


def test_each_run_of_a_sweep_has_its_own_folder(trained, tmp_path, command):
    shutil.copytree(trained, tmp_path / "sweep" / "0")
    shutil.copytree(trained, tmp_path / "sweep" / "1")
    status, _ = command("export.py", tmp_path, "run=sweep", "folder=all")
    assert status == 0
    assert [(tmp_path / "all" / number / "config.json").is_file() for number in "01"] == [True, True]


def test_a_full_disk_names_the_file(trained, tmp_path, command, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    status, output = command("export.py", tmp_path, "run=run")
    assert status == 1
    assert output.splitlines()[-1] == "error: run/export/model.safetensors: No space left on device."
    assert list((trained / "export").iterdir()) == []


def test_onnx_without_its_packages_names_the_command(trained, tmp_path, command, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "onnx":
            raise ImportError("No module named 'onnx'", name="onnx")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    status, output = command("export.py", tmp_path, "run=run", "format=onnx")
    assert status == 1
    assert output.splitlines()[-1] == (
        "error: format=onnx needs the package onnx: pip install onnx 'onnxscript>=0.6.2'."
    )


def test_an_unknown_generator_or_format_is_one_line(trained, tmp_path, command):
    status, output = command("export.py", tmp_path, "run=run", "generator=best")
    assert (status, "this run has raw and ema" in output) == (1, True)
    status, output = command("export.py", tmp_path, "run=run", "format=htm")
    assert (status, "Did you mean 'html'?" in output) == (1, True)
    status, output = command("export.py", tmp_path, "run=nowhere")
    assert (status, "run=nowhere: no such folder" in output) == (1, True)


@pytest.mark.parametrize("method", ["vae", "autoencoder", "bigan"])
def test_an_encoder_is_written_and_the_reader_of_the_card_reads_it(tmp_path, method):
    widths = "[8,8]" if method == "bigan" else "[8]"
    words = [f"method={method}", f"model.encoder.hidden={widths}", f"model.generator.hidden={widths}"]
    cfg = small(tmp_path / "run", *words, f"++model.discriminator.hidden={widths}", "trainer.max_steps=2")
    trained_experiment(cfg)
    run = open_run(tmp_path / "run", device="cpu")
    written = gan.export(run, folder=tmp_path / "here")
    assert {"encoder.safetensors", "encoder.json"} <= {path.name for path in written}
    text, found = (tmp_path / "here" / "README.md").read_text(encoding="utf-8"), {"print": lambda *_: None}
    with contextlib.chdir(tmp_path / "here"):
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            exec(block, found)
    images = found["examples"]["images"]
    assert torch.allclose(found["codes"], run.sampler.encode("ema", images), atol=1e-5)
    assert torch.allclose(found["reconstructions"], run.sampler.reconstruct("ema", images), atol=1e-5)


def test_without_an_encoder_the_files_are_those_of_a_generator(trained, tmp_path):
    written = gan.export(open_run(trained, device="cpu"), folder=tmp_path / "here")
    assert not any("encoder" in path.name for path in written)
    assert "Encoder" not in (tmp_path / "here" / "README.md").read_text(encoding="utf-8")
