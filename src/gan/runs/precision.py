"""``trainer.precision=auto``: bf16-mixed on devices where it is fast, 32-true on all others."""

import logging
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from gan.core.errors import UserError
from gan.core.files import write_whole
from gan.core.hardware import device_type, has_fast_bfloat16
from gan.runs.identity import AUTO, REASON

log = logging.getLogger(__name__)

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


def resolve_precision(cfg: DictConfig, saved: dict | None = None) -> None:
    """Replaces ``trainer.precision=auto`` in ``cfg`` by a precision and adds a key with the reason.

    A resumed run keeps the precision of its checkpoint: ``auto`` is not resolved again on another machine.

    Args:
        cfg: the configuration of a training, changed in place.
        saved: the checkpoint that the run resumes from, or None.

    Raises:
        UserError: the precision is neither ``auto`` nor in ``PRECISIONS``.
    """
    asked = cfg.trainer.get("precision")
    if asked not in (AUTO, *PRECISIONS):
        raise UserError(f"trainer.precision={asked}: choose one of {', '.join((AUTO, *PRECISIONS))}.")
    if asked != AUTO:
        return
    if saved is not None:
        before = saved["hyper_parameters"]["trainer"]
        chosen, reason = before["precision"], before.get(REASON)
    else:
        fast, reason = has_fast_bfloat16(device_type(cfg.trainer.accelerator))
        chosen = "bf16-mixed" if fast else "32-true"
    with open_dict(cfg.trainer):
        cfg.trainer.precision = chosen
        if reason is not None:
            cfg.trainer[REASON] = reason


def warn_if_slow(cfg: DictConfig) -> None:
    """Logs a one-line warning if bf16-mixed is used on a CPU that emulates bfloat16."""
    if cfg.trainer.precision != "bf16-mixed" or device_type(cfg.trainer.accelerator) != "cpu":
        return
    fast, reason = has_fast_bfloat16("cpu")
    if not fast:
        log.warning(
            "trainer.precision=bf16-mixed: %s: matrix products take about 8 times as long as in 32-true "
            "(trainer.precision=auto chooses by the hardware)",
            reason,
        )


def describe_precision(cfg: DictConfig) -> str:
    """``32-true``, or ``32-true (auto: this processor emulates bfloat16)``."""
    if REASON not in cfg.trainer:
        return cfg.trainer.precision
    reason = "that of the checkpoint" if cfg.ckpt_path else cfg.trainer[REASON]
    return f"{cfg.trainer.precision} ({AUTO}: {reason})"


def record_settings(cfg: DictConfig, folder: Path) -> None:
    """Records the precision that ``trainer.precision=auto`` resolved to in a run's ``.hydra/config.yaml``.

    Under ``train.py`` Hydra has already written the file; from Python it is created here.
    """
    path = folder / ".hydra" / "config.yaml"
    kept = OmegaConf.load(path) if path.is_file() else cfg.copy()
    if path.is_file() and kept.trainer.precision == cfg.trainer.precision:
        return
    kept.trainer.precision = cfg.trainer.precision
    if reason := cfg.trainer.get(REASON):
        kept.trainer[REASON] = reason
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(path) as unfinished:
        OmegaConf.save(kept, unfinished)
