"""Exported generators: a changed weight or setting is noticed."""

import json

import pytest
import torch
from safetensors.torch import save_file

from gan.app.sample import export
from gan.core.errors import UserError
from gan.core.random import RandomRows, derive
from gan.runs import build
from gan.runs.exported import CHECKSUM, checksum, load_generator
from gan.runs.run import Run


@pytest.fixture
def exported(configure, tmp_path):
    """An exported file, with its weights and metadata."""
    from safetensors import safe_open

    cfg = configure()
    module = build.module(cfg)
    path = export(Run(tmp_path, cfg, lambda: module), "raw", tmp_path / "g.safetensors")
    with safe_open(path, "pt") as file:
        return path, {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def test_changed_weight_or_setting_is_noticed(exported):
    path, weights, metadata = exported
    load_generator(path)
    name = next(iter(weights))
    changed = weights | {name: weights[name] + torch.eye(*weights[name].shape) * 1e-7}
    config = json.loads(metadata["config"])
    config["model"]["generator"]["slope"] = 0.3
    for contents in ((changed, metadata), (weights, metadata | {"config": json.dumps(config)})):
        save_file(*contents[:1], path, contents[1])
        with pytest.raises(UserError, match=r"g\.safetensors is damaged \(wrong checksum\)"):
            load_generator(path)


def test_file_of_an_older_version_without_a_checksum_is_read(exported):
    path, weights, metadata = exported
    save_file(weights, path, {key: text for key, text in metadata.items() if key != CHECKSUM})
    generator, _ = load_generator(path)
    assert all(torch.equal(value, weights[name]) for name, value in generator.state_dict().items())


def test_checksum_covers_names_shapes_and_types():
    zeros = torch.zeros(4)
    variants = [{"a": zeros}, {"b": zeros}, {"a": zeros.view(2, 2)}, {"a": zeros.int()}, {"a": torch.zeros(0)}]
    assert len({checksum(weights, {}) for weights in variants}) == len(variants)


def test_generator_inside_a_wrapper_is_read(configure, tmp_path):
    cfg = configure("conditioning=projection")
    module = build.module(cfg)
    path = export(Run(tmp_path, cfg, lambda: module), "raw", tmp_path / "g.safetensors")
    generator, latent = load_generator(path)
    z, labels = torch.randn(3, latent.dim), torch.tensor([2, 0, 9])
    assert torch.equal(generator(z, labels), module.generator.eval()(z, labels))


@pytest.mark.parametrize("words", [["latent=learned", "latent.points=5"], ["method=autoencoder"]], ids=" ".join)
def test_trained_prior_and_fitted_gaussian_are_read(configure, tmp_path, words):
    cfg = configure(*words)
    module = build.module(cfg)
    with torch.no_grad():
        for value in [*module.latent.parameters()] if hasattr(module.latent, "parameters") else []:
            value.normal_()
        if "method=autoencoder" in words:
            module.generator.observe(torch.randn(50, cfg.latent.dim) * 3 + 1)
            module.generator.fit()
    run = Run(tmp_path, cfg, lambda: module)
    path = export(run, "raw", tmp_path / "g.safetensors")
    generator, latent = load_generator(path)
    z, labels = run.sampler.latents(6, seed=1)
    random = RandomRows(generator=torch.Generator().manual_seed(derive(1, "samples")))
    assert torch.equal(latent(random, labels)[0], z)
    assert torch.equal(generator(z), run.sampler.sample("raw", z))
