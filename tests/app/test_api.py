"""The functions for Python do what the commands do."""

import pytest
import torch

import gan
from gan.app import api
from gan.app.command_line import resumed
from gan.core.errors import UserError
from gan.runs.checkpoint import read
from tests.conftest import composed

SMALL = ("model.generator.hidden=[16]", "model.discriminator.hidden=[16]", "trainer=cpu", "recipe.epochs=1")
EVERY = "callbacks.monitor.every_n_batches=5"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return gan.train(*SMALL, EVERY, folder=tmp_path_factory.mktemp("api") / "it's a run")


def test_package_exports_the_api_and_lists_it_for_an_unknown_name():
    assert all(getattr(gan, name) is getattr(api, name) for name in api.__all__)
    with pytest.raises(AttributeError, match=r"no attribute 'trian'; it has .*train"):
        _ = gan.trian


def test_compose_gives_the_configuration_of_the_command_line():
    assert gan.compose("loss=minimax", "k=2").loss == composed("loss=minimax", "k=2").loss
    with pytest.raises(UserError, match=r"Did you mean recipe.lr"):
        gan.compose("lr=1")


def test_train_refuses_a_folder_that_holds_a_run(run):
    with pytest.raises(UserError, match="holds a run already"):
        gan.train(*SMALL, folder=run.folder)


def test_command_line_resumes_a_run_started_from_python(run, tmp_path):
    folder = tmp_path / "run"
    folder.symlink_to(run.folder)  # without the apostrophe, which a shell would quote
    words = resumed([f"ckpt_path={folder}/checkpoints/last.ckpt"])
    assert set(SMALL) < set(words)
    assert not any(word.startswith("output_dir=") for word in words)


def test_resuming_from_python_gives_the_weights_of_an_uninterrupted_run(run, tmp_path):
    words = (*SMALL, "loss=minimax", "optim/schedule=constant")  # the linear one depends on the length of the run
    whole = gan.train(*words, folder=tmp_path / "whole")
    half = gan.train(*words, "trainer.max_steps=3", folder=tmp_path / "half")
    resume = f"ckpt_path={half.folder}/checkpoints/last.ckpt"
    both = gan.train(resume, "trainer.max_steps=-1", folder=tmp_path / "both")
    assert both.cfg.loss == whole.cfg.loss
    assert half.iteration == 3
    assert both.iteration == whole.iteration
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, both.module.state_dict()[name]), name


def test_samples_depend_only_on_seed_or_latents(run):
    a, b, c = gan.sample(run, 5, seed=1), gan.sample(run, 5, seed=1), gan.sample(run, 5, seed=2)
    assert a.shape == (5, 1, 8, 8)
    assert a.min() >= 0
    assert a.max() <= 1
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    z, _ = run.sampler.numbered_latents(5, 1)
    assert torch.equal(gan.sample(run, z=z), a)
    assert not torch.equal(gan.sample(run, z=z, generator="raw"), a)
    with pytest.raises(UserError, match="generator=emma: this run has raw and ema"):
        gan.sample(run, 1, generator="emma")


def test_labels_reach_a_conditional_generator(tmp_path):
    run = gan.train("experiment=cgan", *SMALL, "trainer.max_steps=2", folder=tmp_path / "run")
    z, _ = run.sampler.latents(3, 0)
    threes = gan.sample(run, z=z, labels=3)
    assert torch.equal(threes, gan.sample(run, z=z, labels=[3, 3, 3]))
    assert not torch.equal(threes, gan.sample(run, z=z, labels=4))


def test_evaluate_returns_the_values_that_evaluate_py_prints(run, command, tmp_path):
    rows = gan.evaluate(run, "frechet", num_samples=100)
    assert [(row.generator, row.measure.name) for row in rows] == [
        (name, "frechet_distance") for name in ("raw", "ema", "floor")
    ]
    copy = tmp_path / "run"
    copy.symlink_to(run.folder)
    status, output = command("evaluate.py", tmp_path, f"run={copy}", "metrics=frechet", "num_samples=100")
    assert status == 0, output
    assert all(f"{row.measure.value:.4g}" in output for row in rows)


def test_plot_and_read_scalars(run, tmp_path):
    (grid,) = gan.plot(run, "grid", folder=tmp_path, count=9)
    assert grid == tmp_path / "grid_ema.png"
    assert gan.plot([run, run], "curves", folder=tmp_path)[0].is_file()
    points = gan.read_scalars(run, "D(x)", "loss/generator")
    assert points.keys() == {"D(x)", "loss/generator"}
    assert read(run.folder / "checkpoints" / "last.ckpt")["iteration"] == 21
    assert points["D(x)"][-1][0] == 1.0
