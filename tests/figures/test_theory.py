"""The report that compares D with the optimal D*, before and after training."""

import json
import math

import pytest
import torch

from gan.core.errors import UserError
from gan.figures import Theory
from gan.figures.snapshot1d import snapshot
from gan.metrics.theory import EQUILIBRIUM, report
from gan.runs.run import open_run
from tests.figures.conftest import NUMBERS


def numbers_of(folder):
    run = open_run(folder, device="cpu")
    now = snapshot(run.module, run.load_data(), run.sampler.generator("raw"))
    return run, now, report(now.d, now.p_data, now.p_g, now.x)


def test_trained_discriminator_approaches_the_optimal_one(trained):
    """Against a fixed G = N(2, 1), training brings the mean of |D - D*| from .28 to below .02."""
    fixed = (*NUMBERS, "model.generator.mean=2", "optim.generator.lr=0", "callbacks=none", "callbacks=default")
    words = ("~callbacks.sample_grids", "logger=none", "data.batch_size=256", "recipe.lr=5e-3")
    run, _, after = numbers_of(trained(*fixed, *words, "trainer.max_epochs=4"))
    mean, shifted = run.sampler.sample("raw", torch.tensor([[0.0], [1.0]])).flatten().tolist()
    assert (mean, shifted - mean) == (2, 1)
    assert after.mean_gap < 0.02
    assert after.value == pytest.approx(after.optimal_value, abs=0.005)
    fresh = open_run(run.folder, device="cpu")
    for layer in fresh.module.discriminator.layers:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    now = snapshot(fresh.module, fresh.load_data(), fresh.sampler.generator("raw"))
    assert report(now.d, now.p_data, now.p_g, now.x).mean_gap > 0.15


def test_perfect_generator_brings_d_to_one_half(trained):
    """G samples from the data distribution: training brings D to ½ and V to -log 4."""
    words = ("model.generator.mean=4", "model.generator.deviation=1.25", "optim.generator.lr=0", "logger=none")
    _, now, found = numbers_of(trained(*NUMBERS, *words, "data.batch_size=256", "trainer.max_epochs=3"))
    assert torch.allclose(now.p_g, now.p_data, atol=1e-3)
    assert found.optimal_value == pytest.approx(EQUILIBRIUM, abs=1e-6)
    assert found.value == pytest.approx(-math.log(4), abs=0.02)
    assert found.mean_gap < 0.05


def test_report_is_written_and_logged(numbers, tmp_path, caplog):
    caplog.set_level("INFO", logger="gan")
    (path,) = Theory()(numbers, tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "theory_raw.json"
    assert record["iteration"] == 100
    assert record["optimal_value"] == pytest.approx(record["from_divergence"], abs=1e-6)
    assert record["value"] < record["optimal_value"]
    assert f"{record['mean_gap']:.4f}" in caplog.text


def test_method_without_a_discriminator_is_refused(numbers):
    del numbers.module.discriminator  # as a VAE
    with pytest.raises(UserError, match="figures=theory compares D with D\\*; this method has no D"):
        Theory().check(numbers)
