"""A run's folder is read as data: interpolations inside the configuration are followed, resolvers are not."""

import pytest
from omegaconf import OmegaConf

from gan.runs.folder import RunFolder
from tests import conftest


def folder_with(path, config):
    (path / ".hydra").mkdir()
    OmegaConf.save(config, path / ".hydra" / "config.yaml")
    return RunFolder(path)


@pytest.mark.parametrize("words", [["model=scalar", "data=gaussian"], ["experiment=rpgan_r1_r2", "metrics=all"]])
def test_configuration_is_read_as_omegaconf_resolves_it(words, tmp_path):
    config = conftest.composed(*words)
    config.output_dir = str(tmp_path)
    assert folder_with(tmp_path, config).settings == OmegaConf.to_container(config, resolve=True)


def test_a_missing_optional_key_has_its_default(tmp_path):
    config = OmegaConf.create(
        {"method": {}, "a": "${oc.select:b.c,0.5}", "d": "${oc.select:b.c,null}", "output_dir": ""}
    )
    settings = folder_with(tmp_path, config).settings
    assert (settings["a"], settings["d"]) == (0.5, None)


def test_a_resolver_of_the_environment_stays_text(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    text = "${oc.select:b.c,${oc.env:SECRET}}"
    config = OmegaConf.create({"method": {}, "a": text, "output_dir": ""})
    assert folder_with(tmp_path, config).settings["a"] == text
