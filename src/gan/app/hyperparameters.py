"""What distinguishes a run in a tracker: its choices, its overrides and its seed."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from gan.app.resume import key_of
from gan.reports.groups import label_of
from gan.runs.identity import PLACES


def hyperparameters(cfg: DictConfig) -> dict[str, float | str]:
    """The choice of every group, the value of every key that the command line sets, and the seed.

    From Python, where Hydra has no record of the choices, only those of the overrides. Paths are left out.

    Args:
        cfg: the configuration of a run.

    Returns:
        such as ``{"loss": "minimax", "optim/schedule": "linear", "recipe.epochs": 5, "seed": 1}``.
    """
    choices, overrides = _recorded(cfg)
    found: dict[str, object] = {key: choice for key, choice in choices.items() if not key.startswith("hydra/")}
    for override in overrides:
        key, written = key_of(override), override.partition("=")[2]
        if key and key not in choices and not PLACES.fullmatch(key) and not key.startswith("hydra"):
            value = OmegaConf.select(cfg, key)
            # Several choices of a group give a mapping.
            found[key] = written if OmegaConf.is_dict(value) or value is None else value
    return {key: _plain(value) for key, value in found.items()} | {"seed": cfg.seed}


def chosen(cfg: DictConfig) -> str:
    """``loss=minimax k=2``: the overrides that affect the training, without the seed."""
    return label_of(_recorded(cfg)[1])


def _recorded(cfg: DictConfig) -> tuple[dict[str, object], list[str]]:
    """The choices and the overrides of the run."""
    if HydraConfig.initialized():
        hydra = HydraConfig.get()
        return dict(hydra.runtime.choices), list(hydra.overrides.task)
    file = Path(cfg.output_dir) / ".hydra" / "overrides.yaml"
    return {}, list(OmegaConf.load(file)) if file.is_file() else []


def _plain(value: object) -> float | str:
    """Numbers as they are, everything else as text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return str(OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value)
