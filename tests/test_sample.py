"""sample.py: the files that it writes, and its error messages."""

import json
import resource
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

import gan
from gan.app import train
from gan.app.sample import run
from gan.core.errors import UserError
from gan.runs.run import open_run
from tests.conftest import composed, small, trained_experiment


def sampling(*words):
    return composed("device=cpu", *words, name="sample")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    trained_experiment(small(folder, "trainer.max_steps=4", "callbacks.sample_grids.every_n_batches=2"))
    return folder


@pytest.fixture
def trained(original, tmp_path):
    """A copy of a run's folder, which the test may change."""
    return shutil.copytree(original, tmp_path / "run")


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_saved_arrays_and_images_hold_the_samples(trained):
    words = ("save_samples=true", "save_images=true", "num_samples=3", "seed=9", "generator=raw")
    run(sampling(f"run={trained}", "figures=none", *words))
    opened = open_run(trained, device="cpu")
    z = opened.sampler.numbered_latents(3, 9)[0]
    expected = opened.sampler.sample("raw", z)
    with np.load(trained / "figures" / "samples_raw.npz") as arrays:
        assert arrays["images"].dtype == arrays["z"].dtype == np.float32
        assert (arrays["images"] == expected.numpy()).all()
        assert (arrays["z"] == z.numpy()).all()
    names = [f"images_raw/0000{n}.png" for n in range(3)]
    assert files(trained / "figures") == [*names, "samples_raw.npz"]
    with Image.open(trained / "figures" / names[2]) as image:
        assert (image.mode, image.size) == ("L", (8, 8))
        assert np.abs(np.asarray(image) / 255 - expected[2, 0].numpy()).max() <= 0.5 / 255 + 1e-6


def test_weights_that_are_not_finite_are_reported_and_nothing_is_written(trained):
    path = trained / "checkpoints" / "last.ckpt"
    saved = torch.load(path, weights_only=True)
    for name, weight in saved["state_dict"].items():
        if name.startswith("generator."):
            weight.fill_(torch.nan)
    torch.save(saved, path)
    for words in (
        ["figures=grid"],
        *(["figures=none", f"{what}=true"] for what in ("save_samples", "save_images", "export")),
    ):
        with pytest.raises(UserError, match=r"^the samples of the raw generator are not finite.*; take an earlier"):
            run(sampling(f"run={trained}", "generator=raw", *words))
    for format in ("safetensors", "html"):
        with pytest.raises(UserError, match=r"^the samples of the raw generator are not finite"):
            gan.export(open_run(trained), format, generator="raw")
    assert not (trained / "figures").exists()
    assert not (trained / "export").exists()
    run(sampling(f"run={trained}", "figures=curves"))  # shows how it diverged
    with pytest.raises(UserError, match=r"^the samples of the raw generator are not finite"):
        gan.sample(open_run(trained), generator="raw")


@contextmanager
def full_disk(free=300):
    """Files can have at most ``free`` bytes: the nearest to a full disk that needs no disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (["figures=grid"], "grid_raw.png"),
        (["figures=curves"], "curves.png"),
        (["figures=progress"], "progress_raw.gif"),
        (["figures=none", "save_samples=true"], "samples_raw.npz"),
        (["figures=none", "save_images=true"], "images_raw/00000.png"),
        (["figures=none", "export=true"], "generator.safetensors"),
    ],
)
def test_full_disk_names_the_file(trained, words, file):
    free = 30 if "save_images=true" in words else 300
    with full_disk(free), pytest.raises(UserError, match=rf"^{trained}/figures/{file}: File too large\.$"):
        run(sampling(f"run={trained}", "generator=raw", *words))


def test_exported_generator_is_rebuilt_from_its_file_alone(trained, tmp_path):
    from safetensors import safe_open

    from gan.runs.exported import load_generator

    run(sampling(f"run={trained}", "figures=none", "export=true", f"folder={tmp_path / 'out'}"))
    with safe_open(tmp_path / "out" / "generator.safetensors", "pt") as file:
        metadata = file.metadata()
    generator, latent = load_generator(tmp_path / "out" / "generator.safetensors")
    opened = open_run(trained, device="cpu")
    z = opened.sampler.latents(2, 0)[0]
    assert torch.equal(generator(z), opened.sampler.sample("ema", z))
    assert latent.dim == 8
    assert metadata["generator"] == "ema"
    assert json.loads(metadata["image_shape"]) == [1, 8, 8]
    assert json.loads(metadata["latent"])["dim"] == 8


def test_second_call_replaces_only_its_own_files(trained):
    run(sampling(f"run={trained}"))
    (trained / "figures" / "mine.txt").write_text("kept", encoding="utf-8")
    before = files(trained)
    run(sampling(f"run={trained}", "seed=1", "generator=raw", "figures=[grid,progress]"))
    new = {"figures/grid_raw.png", "figures/progress_raw.gif"}
    assert set(files(trained)) == {*before, *new}
    assert (trained / "figures" / "mine.txt").read_text(encoding="utf-8") == "kept"


def test_sweep_gets_figures_of_each_run_and_of_all(configure, tmp_path):
    for job, loss in enumerate(("minimax", "nonsaturating")):
        train.run(configure(f"loss={loss}", "trainer.max_steps=4", folder=f"sweep/{job}"))
    run(sampling(f"run={tmp_path / 'sweep'}", "figures=[grid,curves]"))
    drawn = [name for name in files(tmp_path / "sweep") if "figures" in name]
    assert drawn == ["0/figures/grid_ema.png", "1/figures/grid_ema.png", "figures/curves.png"]
    run(sampling(f"run={tmp_path / 'sweep'}", "figures=[grid,curves]", f"folder={tmp_path / 'all'}"))
    assert files(tmp_path / "all") == ["0/grid_ema.png", "1/grid_ema.png", "curves.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run=null"], "run is missing"),
        (["figures=none"], "figures=none leaves nothing to do; give save_samples, save_images or export=true"),
        (["generator=emma"], r"generator=emma: .* has raw and ema. Did you mean 'ema'\?"),
        (["num_samples=0"], "num_samples must be a whole number of at least 1, got 0"),
        (["figures=neighbours", "figures.neighbours.rows=0"], r"figures.neighbours.rows must be a whole number"),
        (["figures=one_dimension"], r"needs data=gaussian and latent.dim=1"),
        (["folder=3"], "folder must be text or null, got 3"),
    ],
)
def test_invalid_options_raise_clear_errors(trained, words, message):
    with pytest.raises(UserError, match=message):
        run(sampling(f"run={trained}", *words))


def test_figures_are_written_at_the_end_of_training(configure, tmp_path):
    figures = "figures=[grid,neighbours,interpolation,progress,curves,gradient_norms]"
    train.run(configure(figures, "trainer.max_steps=4", "callbacks.monitor.every_n_batches=2"))
    drawn = files(tmp_path / "run" / "figures")
    assert drawn == [
        "curves.png",
        "gradient_norms.png",
        "grid_ema.png",
        "interpolation_lerp_ema.png",
        "neighbours_ema.png",
        "progress_ema.gif",
    ]


def test_command_lists_figures_and_reports_typos(trained, command):
    status, output = command("sample.py", trained.parent, "run=run", "figures=[grid,curves]", "device=cpu")
    assert status == 0, output
    assert output.splitlines()[1:] == ["  → run/figures/grid_ema.png", "  → run/figures/curves.png"]
    status, output = command("sample.py", trained.parent, "run=run", "figures=[grid,curve]")
    assert status == 1
    assert output.startswith("error: figures=curve: no such choice. Did you mean 'curves'?")


@pytest.mark.parametrize("counts", [(1, 5, 10, 64)])
def test_sample_i_does_not_depend_on_the_number_of_samples(trained, counts):
    """torch draws the last 16 of a number of normal variables in another order."""
    found = {}
    for count in counts:
        run(sampling(f"run={trained}", "figures=none", "save_samples=true", f"num_samples={count}", "seed=3"))
        with np.load(trained / "figures" / "samples_ema.npz") as arrays:
            found[count] = arrays["z"], arrays["images"]
        assert len(found[count][0]) == count
    for z, images in found.values():
        assert (z == found[64][0][: len(z)]).all()
        assert np.allclose(images, found[64][1][: len(z)], atol=1e-6)
    assert len(np.unique(found[64][0], axis=0)) == 64
