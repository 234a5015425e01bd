"""The commands of the README on digits in processes of their own, also interrupted and resumed."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from gan.runs.checkpoint import read
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.processes

SMALL = ["model.generator.hidden=[32]", "model.discriminator.hidden=[32]", "trainer=cpu"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
FEW_LABELS = "+data.labels_per_class=5 auxiliary=class_labels auxiliary.classes.generated=false"


def launch(folder, *words, script="train.py", **options):
    """Starts one of the commands in ``folder``."""
    command = [sys.executable, str(REPOSITORY / script), *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, **pipes, **options)


def finish(process, expected=0):
    output, _ = process.communicate(timeout=180)
    assert process.returncode == expected, output
    return output


def wait_for(condition, process, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return read(path)["state_dict"]


LONG = [*SMALL, "model=maxout", "model.discriminator.hidden=[16,16]", "k=2", "trainer.max_epochs=60"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The weights of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    finish(launch(folder, *LONG, "output_dir=whole"))
    return weights(folder / "whole" / "checkpoints" / "last.ckpt")


@pytest.mark.slow
def test_command_printed_on_ctrl_c_resumes_exactly(tmp_path, uninterrupted):
    process = launch(tmp_path, *LONG, "output_dir=broken", "callbacks.monitor.every_n_batches=5")
    log = tmp_path / "broken" / "train.log"
    wait_for(lambda: log.exists() and "iteration 5 " in log.read_text(encoding="utf-8"), process)
    process.send_signal(signal.SIGINT)
    output = finish(process, expected=130)
    last = re.search(r"python train.py (ckpt_path=\S+)", output)[1]
    assert read(tmp_path / last.removeprefix("ckpt_path="))["iteration"] < 60 * 21
    output = finish(launch(tmp_path, last, "output_dir=rest"))  # model, k and the rest come from the run
    assert "resuming from iteration" in output
    ours = weights(tmp_path / "rest" / "checkpoints" / "last.ckpt")
    assert all(torch.equal(ours[name], uninterrupted[name]) for name in uninterrupted)


@pytest.mark.slow
def test_killed_run_resumes_exactly_from_its_checkpoint(tmp_path, uninterrupted):
    process = launch(tmp_path, *LONG, "output_dir=killed", "callbacks.checkpoint.every_n_batches=1")
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    wait_for(last.exists, process)
    time.sleep(0.3)  # most of the time is spent writing now
    process.kill()
    finish(process, expected=-signal.SIGKILL)
    assert 0 < read(last)["iteration"] < 60 * 21
    finish(launch(tmp_path, f"ckpt_path={last}", "output_dir=rest", "callbacks.checkpoint.every_n_batches=null"))
    ours = weights(tmp_path / "rest" / "checkpoints" / "last.ckpt")
    assert all(torch.equal(ours[name], uninterrupted[name]) for name in uninterrupted)


def test_default_command_writes_the_run_folder(tmp_path):
    output = finish(launch(tmp_path, *SMALL, "trainer.max_epochs=2"))
    (run,) = tmp_path.glob("outputs/runs/*/*")
    assert re.fullmatch(r"\d\d-\d\d-\d\d-\d{6}", run.name)
    names = {path.name for path in run.iterdir()}
    assert {".hydra", "checkpoints", "samples", "train.log"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert "done: 42 batches" in output
    assert "D(G(z))" in (run / "train.log").read_text(encoding="utf-8")
    assert "Warning" not in output


@pytest.mark.slow
@pytest.mark.parametrize("order", ["false", "true"])
def test_two_processes_equal_one_with_twice_the_batch_size(tmp_path, order):
    """Data, latents and dropout are split by rank; weights and curves agree up to the order of summation."""
    common = [*SMALL, "k=2", "trainer.max_epochs=3", f"optim.simultaneous={order}"]
    for player in ("generator", "discriminator"):  # Adam would amplify rounding errors of gradients near zero
        common += [f"optim.{player}._target_=torch.optim.SGD", f"~optim.{player}.betas", f"optim.{player}.lr=0.1"]
    common += ["callbacks.monitor.every_n_batches=5", "callbacks.checkpoint.keep_every_n_epochs=1"]
    one = launch(tmp_path, *common, "data.batch_size=64", "output_dir=one")
    finish(one)
    finish(launch(tmp_path, *common, "data.batch_size=32", "output_dir=two", "trainer=ddp", "trainer.accelerator=cpu"))
    a, b = (weights(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("one", "two"))
    start = weights(tmp_path / "one" / "checkpoints" / "epoch=0001.ckpt")
    for name in a:
        difference, moved = (a[name] - b[name]).abs().max(), (a[name] - start[name]).abs().max()
        assert difference <= 2e-6, name
        assert moved > 1e-4, name
    pattern = r"iteration \d+  D\(x\) (\S+)  D\(G\(z\)\) (\S+)"
    found = [
        re.findall(pattern, (tmp_path / name / "train.log").read_text(encoding="utf-8")) for name in ("one", "two")
    ]
    points = [[float(number) for point in run for number in point] for run in found]
    assert len(points[0]) == 2 * 13  # every fifth of 63 batches and the last
    assert points[0] == pytest.approx(points[1], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen",
    [
        *(f"experiment={name}" for name in ("wgan_gp", "cgan", "vae", "relativistic", "dragan", "ebgan", "began")),
        *("experiment=acgan", "conditioning=codes", "method=completion", "method=gmmn", "latent=learned"),
        f"conditioning=class_logits loss=feature_matching {FEW_LABELS}",
        f"experiment=catgan {FEW_LABELS}",
        "view=packed penalty=[r1,r2]",
        "view=packed history=replay history.capacity=96",
        "view=augmented auxiliary=historical_average",
        "experiment=cgan history=replay history.capacity=96",
        "lookahead=unrolled lookahead.steps=2 penalty=r1",
        "view=packed loss=wasserstein penalty=gradient_penalty",
    ],
)
def test_two_processes_equal_one_for_other_methods(tmp_path, chosen):
    """Labels, the penalty's random points, the encoder's noise, masks and codes are split by rank, too."""
    other = "encoder" if "vae" in chosen else "discriminator"
    common = [*chosen.split(), "model.generator.hidden=[32]", f"model.{other}.hidden=[32]", "trainer=cpu"]
    common += ["trainer.max_epochs=-1", "trainer.max_steps=10", "optim/schedule=constant"]
    for player in ("generator", "discriminator"):
        common += [f"optim.{player}._target_=torch.optim.SGD", f"~optim.{player}.betas", f"optim.{player}.lr=0.01"]
    finish(launch(tmp_path, *common, "data.batch_size=64", "output_dir=one"))
    finish(launch(tmp_path, *common, "data.batch_size=32", "output_dir=two", "trainer=ddp", "trainer.accelerator=cpu"))
    a, b = (weights(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("one", "two"))
    for name in a:
        assert (a[name] - b[name]).abs().max() <= 5e-6, name


PLAIN_PAIRS = " ".join(f"model.{name}.batch_norm=false" for name in ("generator", "encoder", "discriminator"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen",
    [
        f"experiment=bigan {PLAIN_PAIRS}",
        f"experiment=bigan optim.simultaneous=false penalty=r1 {PLAIN_PAIRS}",
        "method=autoencoder latent.dim=8",
        "experiment=adversarial_autoencoder",
    ],
)
def test_two_processes_equal_one_for_methods_with_an_encoder(tmp_path, chosen):
    """Codes of images, those of the prior and the moments of the Gaussian fit."""
    common = [*chosen.split(), "model.generator.hidden=[32]", "model.encoder.hidden=[32]", "trainer=cpu"]
    common += ["trainer.max_epochs=-1", "trainer.max_steps=10", "optim/schedule=constant", "optim=sgd"]
    common += ["optim.generator.lr=0.01", "optim.discriminator.lr=0.01"]
    if "adversarial" in chosen:
        common += [
            "optim.autoencoder._target_=torch.optim.SGD",
            "~optim.autoencoder.betas",
            "optim.autoencoder.lr=0.01",
        ]
    finish(launch(tmp_path, *common, "data.batch_size=64", "output_dir=one"))
    finish(launch(tmp_path, *common, "data.batch_size=32", "output_dir=two", "trainer=ddp", "trainer.accelerator=cpu"))
    a, b = (weights(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("one", "two"))
    for name in a:
        assert (a[name] - b[name]).abs().max() <= 5e-6, name


@pytest.mark.slow
def test_sweep_has_a_folder_for_each_job_and_survives_a_failed_one(tmp_path):
    words = [*SMALL, "trainer.max_steps=5", "k=1,0,2", "loss=minimax,nonsaturating"]
    process = launch(tmp_path, *words, "-m")
    output = finish(process, expected=1)
    (sweep,) = tmp_path.glob("outputs/sweeps/*")
    done = {path.parts[-3] for path in sweep.glob("*/checkpoints/last.ckpt")}
    assert done == {"0", "1", "4", "5"}
    assert "k must be a whole number of at least 1, got 0" in output
    assert "Traceback" not in output
    settings = {read(sweep / job / "checkpoints" / "last.ckpt")["hyper_parameters"]["k"] for job in done}
    assert settings == {1, 2}


@pytest.mark.slow
def test_ctrl_c_ends_a_sweep(tmp_path):
    process = launch(tmp_path, "-m", *SMALL, "seed=1,2", "trainer.max_epochs=500")
    wait_for(lambda: list(tmp_path.glob("outputs/sweeps/*/0/checkpoints/last.ckpt")), process)
    process.send_signal(signal.SIGINT)
    output = finish(process, expected=130)
    assert "stopped after iteration" in output
    assert "Traceback" not in output
    assert not list(tmp_path.glob("outputs/sweeps/*/1"))


@pytest.mark.slow
def test_simultaneous_runs_get_separate_folders(tmp_path):
    words = [*SMALL, "trainer.max_steps=1", "logger=none", "~callbacks.sample_grids"]
    for process in [launch(tmp_path, *words) for _ in range(2)]:
        finish(process)
    assert len(list(tmp_path.glob("outputs/runs/*/*/checkpoints/last.ckpt"))) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["k=0"], "k must be a whole number of at least 1, got 0"),
        (["ckpt_path=nowhere.ckpt"], "ckpt_path=nowhere.ckpt: no such file"),
    ],
)
def test_user_errors_end_with_one_line(tmp_path, words, message):
    output = finish(launch(tmp_path, *words), expected=1)
    assert output.strip().endswith(message) or message in output.strip().splitlines()[-1]
    assert "Traceback" not in output


def test_output_that_nobody_reads_ends_no_command_and_prints_nothing(tmp_path):
    """As in ``train.py | head -1``; names with line breaks and bytes that are no text are printed on one line."""
    name = b"caf\xe9\nlatte"
    read, write = os.pipe()
    words = [*SMALL, "trainer.max_steps=20", "logger=none", b"output_dir=" + name]
    command = [sys.executable, str(REPOSITORY / "train.py"), *words]
    done = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    os.close(read)
    assert (done.communicate(timeout=180)[1], done.returncode) == (b"", 0)
    folder = os.fsencode(tmp_path) + b"/" + name
    assert Path(os.fsdecode(folder), "checkpoints", "last.ckpt").exists()
    assert b"done: 20 batches" in Path(os.fsdecode(folder), "train.log").read_bytes()
    evaluated = subprocess.run(
        [sys.executable, str(REPOSITORY / "sample.py"), b"run=" + name, "checkpoint=none"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert (evaluated.returncode, evaluated.stderr) == (1, b"")
    assert evaluated.stdout.startswith(b"error: checkpoint=none: caf\\udce9 latte has last.")
    assert evaluated.stdout.count(b"\n") == 1
