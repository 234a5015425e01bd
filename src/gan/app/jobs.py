"""A job of a sweep, or one that a cluster starts again: it finishes what its folder holds, and overwrites nothing.

This module does not import torch.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from gan.core.errors import UserError
from gan.core.files import write_whole
from gan.runs import outcome
from gan.runs.folder import RunFolder
from gan.runs.identity import changes
from gan.runs.launch import is_sweeping
from gan.runs.outcome import Outcome

log = logging.getLogger(__name__)


def finished_before(cfg: DictConfig) -> Outcome | None:
    """Compares a job with the run that its folder holds, if any.

    A run of the same configuration that has not ended is resumed from its own ``last.ckpt``: sets ``cfg.ckpt_path``.

    Args:
        cfg: the job's configuration; ``output_dir`` is the folder.

    Returns:
        The end of the run if it has finished.

    Raises:
        UserError: the folder holds a run of another configuration, or one without its configuration.
    """
    folder = Path(cfg.output_dir)
    last = folder / "checkpoints" / "last.ckpt"
    ended = outcome.read(folder)
    if ended is None and not last.parent.exists():
        return None
    if not (folder / ".hydra" / "config.yaml").is_file():
        raise UserError(f"{folder} holds a run without its configuration, which is not overwritten. {_advice()}")
    if changed := changes(RunFolder(folder).settings, cfg):
        raise UserError(
            f"{folder} holds a run of another configuration ({listed(changed)}), which is not overwritten. {_advice()}"
        )
    if ended is not None and ended.finished:
        log.info("%s is finished and not trained again: objective %s", folder, ended.objective)
        return ended
    if last.is_file():
        cfg.ckpt_path = str(last)
    return None


@contextlib.contextmanager
def alone_in_folder() -> Iterator[None]:
    """Holds the folder of a sweep's job, after any other process that still trains in it.

    Workers of joblib and jobs of submitit outlive a sweep that was killed. The same sweep started again waits for them.
    """
    if not is_sweeping():
        yield
        return
    folder = Path(HydraConfig.get().runtime.output_dir)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("%s: a process of an earlier command still trains here; waiting for its end", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def record_command(cfg: DictConfig, folder: Path, replayable: bool = True) -> None:
    """Records the configuration and, if it is ``replayable``, the command line in ``.hydra/``.

    Hydra itself would write these files before the job can compare them with those of a run in the folder.
    """
    settings = HydraConfig.instance().cfg
    place = folder / ".hydra"
    place.mkdir(parents=True, exist_ok=True)
    records = {"hydra": settings, "config": cfg}
    records |= {"overrides": settings.hydra.overrides.task} if replayable else {}
    for name, record in records.items():
        with write_whole(place / f"{name}.yaml") as unfinished:
            OmegaConf.save(record, unfinished)


def resumes_itself(cfg: DictConfig) -> bool:
    """Whether the run continues in the folder of its checkpoint; by hand a run is resumed in a new folder."""
    return bool(cfg.ckpt_path) and Path(cfg.ckpt_path).resolve().is_relative_to(Path(cfg.output_dir).resolve())


def listed(changed: Mapping[str, tuple[object, object]]) -> str:
    """At most three of the changes, and the number of the others."""
    shown = [f"{key} {before} → {now}" for key, (before, now) in changed.items()]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more keys" if len(shown) > 3 else "")


def _advice() -> str:
    return "Choose another folder: hydra.sweep.dir=FOLDER." if is_sweeping() else "Choose another output_dir."
