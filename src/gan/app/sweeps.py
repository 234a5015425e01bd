"""The folder of a sweep: it holds the jobs of one command line. This module does not import torch."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from gan.core.errors import UserError
from gan.runs.folder import runs_in


def check_sweep_folder(cfg: DictConfig) -> None:
    """Refuses a folder that holds another sweep, before the first job.

    Args:
        cfg: the sweep's configuration, with Hydra's part.

    Raises:
        UserError: ``hydra.sweep.dir`` holds runs of another command line.
    """
    folder = Path(cfg.hydra.sweep.dir)
    if runs_in(folder) == [folder] and not (folder / "checkpoints").exists():  # none, or no such folder
        return
    record = folder / "multirun.yaml"
    before = OmegaConf.load(record).hydra.overrides.task if record.is_file() else None
    if before == cfg.hydra.overrides.task:
        return
    held = "runs that are no sweep" if before is None else f"the sweep {' '.join(before)}"
    raise UserError(
        f"hydra.sweep.dir={folder} holds {held}, which is not overwritten; choose another folder, or repeat that "
        "sweep's command to continue it."
    )
