"""Writes the generator of existing runs for other programs: the implementation of ``export.py``."""

import logging
from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig

from gan.app.failures import in_one_line
from gan.app.sample import place, tell
from gan.core.errors import UserError, one_line
from gan.core.files import write_whole
from gan.core.hardware import true_float32
from gan.core.quiet import quiet
from gan.formats.base import Format
from gan.runs.folder import runs_in
from gan.runs.instantiate import check_texts, part
from gan.runs.run import Run, open_run

log = logging.getLogger(__name__)


@in_one_line
def run(cfg: DictConfig) -> None:
    """Writes the generator of each run in the format that ``cfg`` names.

    Raises:
        UserError: any mistake that the user can fix.
    """
    quiet()
    true_float32()
    check_texts(cfg)
    chosen = part(cfg, "format")
    folders = runs_in(cfg.run) or [None]
    for folder in folders:
        one = open_run(folder, cfg.checkpoint, device="cpu", trust=cfg.trust)
        log.info("%s  %s, iteration %s", one.folder, one.checkpoint.name, f"{one.iteration:,}")
        target = place(cfg, one.folder, len(folders) > 1, "export")
        tell(export(one, chosen, target, cfg.generator, cfg.overwrite))


def export(run: Run, format: Format, folder: Path, generator: str | None, overwrite: bool) -> Iterable[Path]:
    """Writes the files of one format and yields each path.

    Args:
        run: a finished or running run.
        format: the file format.
        folder: of the files; created if missing.
        generator: ``raw`` or ``ema``; None for the EMA if there is one.
        overwrite: whether existing files are replaced.

    Raises:
        UserError: a file exists, or cannot be written; or the generator does not fit the format.
    """
    name = run.sampler.choose(generator)
    run.sampler.sample(name, *run.sampler.latents(1, seed=0))  # raises an error if the weights are not finite
    contents = format.files(run, name)
    paths = [folder / name for name in contents]
    if not overwrite and (existing := next((path for path in paths if path.exists()), None)):
        raise UserError(f"{existing} exists; give overwrite=true to replace it, or another folder.")
    for path, content in zip(paths, contents.values(), strict=True):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with write_whole(path) as unfinished:
                unfinished.write_bytes(content)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror or one_line(error)}.") from error
        yield path
