"""trainer.precision=auto: how it is resolved, where that is recorded, and how a resumed run uses it."""

import pytest
import torch
from omegaconf import OmegaConf

from gan.app.train import run
from gan.core import hardware
from gan.core.errors import UserError
from gan.runs import checkpoint
from gan.runs.build import build
from gan.runs.identity import setting
from gan.runs.precision import describe_precision, record_settings, resolve_precision, warn_if_slow
from tests.core.test_hardware import ZEN3, ZEN4


@pytest.fixture
def use_cpu(monkeypatch):
    """Replaces this machine by one with another CPU and no GPU."""

    def replace(cpu):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        monkeypatch.setattr(hardware, "processor", lambda: cpu)

    return replace


@pytest.mark.parametrize(
    ("cpu", "precision", "shown"),
    [
        (ZEN4, "bf16-mixed", "bf16-mixed (auto: this processor has bfloat16 instructions)"),
        (ZEN3, "32-true", "32-true (auto: this processor emulates bfloat16)"),
    ],
)
def test_auto_precision_follows_the_processor(configure, use_cpu, cpu, precision, shown):
    use_cpu(cpu)
    cfg = configure("trainer.precision=auto")
    game = build(cfg)
    assert game.trainer.precision == cfg.trainer.precision == precision
    assert game.module.hparams["trainer"]["precision"] == precision  # of the checkpoint
    assert describe_precision(cfg) == shown


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_explicit_precision_is_kept_on_every_processor(configure, use_cpu, precision):
    for cpu in (ZEN3, ZEN4):
        use_cpu(cpu)
        cfg = configure(f"trainer.precision={precision}")
        build(cfg)
        assert cfg.trainer.precision == precision
        assert describe_precision(cfg) == precision


def test_default_precision_is_float32(configure, use_cpu):
    use_cpu(ZEN4)
    cfg = configure()
    resolve_precision(cfg)
    assert describe_precision(cfg) == "32-true"


def test_unknown_precision_is_refused(configure):
    with pytest.raises(UserError, match=r"trainer.precision=64: choose one of auto, 32-true, bf16-mixed, 16-mixed"):
        resolve_precision(configure("trainer.precision=64"))


SHORT = ["trainer.max_steps=2", "callbacks=default", "~callbacks.diagnosis", "~callbacks.scores", "logger=none"]


def test_resumed_run_keeps_the_precision_of_its_checkpoint(configure, use_cpu, caplog):
    use_cpu(ZEN4)
    words = [*SHORT, "trainer.precision=auto", "callbacks.checkpoint.every_n_batches=1"]
    with caplog.at_level("INFO"):
        run(configure(*words))
        assert "bf16-mixed (auto: this processor has bfloat16 instructions)" in caplog.text
        last = configure().output_dir + "/checkpoints/last.ckpt"
        use_cpu(ZEN3)
        caplog.clear()
        longer = ["trainer.max_steps=4", f"ckpt_path={last}"]
        run(configure(*words, *longer, folder="rest"))
        assert any("bf16-mixed (auto: that of the checkpoint)" in message for message in caplog.messages)
        assert any("bfloat16: matrix products take about 8 times" in message for message in caplog.messages)
        resumed = checkpoint.read(configure(folder="rest").output_dir + "/checkpoints/last.ckpt")
        assert resumed["hyper_parameters"]["trainer"]["precision"] == "bf16-mixed"
        caplog.clear()
        run(configure(*words, *longer, "trainer.precision=32-true", folder="other"))
        assert any("trainer.precision bf16-mixed → 32-true" in message for message in caplog.messages)
        assert not any("precision_reason" in message for message in caplog.messages)


def test_checkpoint_older_than_auto_keeps_its_precision(configure, use_cpu):
    use_cpu(ZEN3)
    cfg = configure("trainer.precision=auto")
    resolve_precision(cfg, {"hyper_parameters": {"trainer": {"precision": "bf16-mixed"}}})
    assert describe_precision(cfg) == "bf16-mixed"


def test_run_folder_records_the_resolved_precision(configure, use_cpu, tmp_path):
    use_cpu(ZEN3)
    folder = tmp_path / ".hydra"
    folder.mkdir()
    cfg = configure("trainer.precision=auto")
    OmegaConf.save(cfg, folder / "config.yaml")
    resolve_precision(cfg)
    record_settings(cfg, tmp_path)
    kept = OmegaConf.load(folder / "config.yaml")
    assert kept.trainer.precision == "32-true"
    assert kept.trainer.precision_reason == "this processor emulates bfloat16"
    assert OmegaConf.to_yaml(kept).count("${") == OmegaConf.to_yaml(cfg).count("${") > 3  # as it was composed
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_settings_are_written_without_a_hydra_folder(configure, use_cpu, tmp_path):
    use_cpu(ZEN3)
    cfg = configure("trainer.precision=auto")
    resolve_precision(cfg)
    record_settings(cfg, tmp_path)
    assert OmegaConf.load(tmp_path / ".hydra" / "config.yaml").trainer.precision == "32-true"


@pytest.mark.parametrize(
    ("cpu", "precision", "warned"), [(ZEN3, "bf16-mixed", 1), (ZEN4, "bf16-mixed", 0), (ZEN3, "32-true", 0)]
)
def test_emulated_bfloat16_gives_a_one_line_warning(configure, use_cpu, caplog, cpu, precision, warned):
    use_cpu(cpu)
    warn_if_slow(configure(f"trainer.precision={precision}"))
    assert len(caplog.records) == warned
    assert all("\n" not in message and "8 times" in message for message in caplog.messages)


def test_auto_precision_seeds_from_both_machines_form_one_group(configure, use_cpu):
    settings = []
    for seed, cpu in enumerate((ZEN3, ZEN4)):
        use_cpu(cpu)
        cfg = configure("trainer.precision=auto", f"seed={seed}", folder=f"{seed}")
        resolve_precision(cfg)
        settings.append(setting(cfg))
    assert settings[0] == settings[1]
    named = configure("trainer.precision=32-true"), configure("trainer.precision=bf16-mixed")
    assert len({settings[0], *map(setting, named)}) == 3  # runs that compare precisions form separate groups
