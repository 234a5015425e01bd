"""The Python interface: compose a configuration, train, open a run, sample, evaluate, plot. It needs no command line.

Available as ``gan.train`` and so on. Mistakes raise :class:`gan.core.errors.UserError`.
"""

import logging
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan.app import evaluate as evaluation
from gan.app import export as exporting
from gan.app import report as reporting
from gan.app import train as training
from gan.app.command_line import checked, parsed
from gan.app.overrides import check
from gan.app.quoting import quote, quote_values
from gan.app.search_path import config_files
from gan.core.files import write_whole
from gan.evaluation.evaluate import evaluate as compare
from gan.evaluation.records import Row
from gan.figures.base import Comparison
from gan.runs.folder import RunFolder
from gan.runs.instantiate import part
from gan.runs.run import Run, open_run
from gan.runs.trust import accept, packages

log = logging.getLogger("gan")

__all__ = ["compose", "evaluate", "export", "open_run", "plot", "read_scalars", "report", "sample", "train"]


def compose(*overrides: str, config_name: str = "train", config_dir: str | None = None) -> DictConfig:
    """Composes the configuration of a command line.

    Args:
        *overrides: as on the command line: ``"data=digits"``, ``"recipe.epochs=5"``.
        config_name: ``train``, ``evaluate``, ``sample``, ``export`` or ``report``.
        config_dir: a folder with your own configuration files.

    Raises:
        UserError: an override names an unknown key or choice; the message names the closest one.
    """
    words = quote_values(overrides)
    check(words, config_name, config_dir=config_dir)
    with config_files(config_name, config_dir) as files:
        return files.compose(words)


def train(
    *overrides: str,
    folder: str | Path | None = None,
    config_dir: str | None = None,
    trust: str | Collection[str] | None = None,
) -> Run:
    """Trains and returns the run.

    Args:
        *overrides: as on the command line of ``train.py``; ``"ckpt_path=RUN/checkpoints/last.ckpt"`` resumes RUN
            with its own overrides, and those given here on top.
        folder: of the run; None for ``outputs/runs/DATE/TIME``. A folder that holds a run is refused.
        config_dir: a folder with configuration files of your own.
        trust: your own packages whose classes a resumed run may name, such as ``"my_gan"``.

    Returns:
        The finished run.

    Raises:
        UserError: anything that the caller can fix.
    """
    _print_messages()
    own = [*(["--config-dir", config_dir] if config_dir else []), *(f"trust={name}" for name in packages(trust))]
    line = checked([*overrides, *own], "train")
    arguments = parsed(line.words)
    words = arguments.overrides + ([] if folder is None else [f"output_dir={_quote(folder)}"])
    cfg = compose(*words, config_dir=arguments.config_dir)
    line.check(cfg, words)
    folder = Path(cfg.output_dir)  # `now` is resolved once
    cfg.output_dir = str(folder)
    record = folder / ".hydra" / "overrides.yaml"  # `train.py ckpt_path=…` resumes from it
    record.parent.mkdir(parents=True, exist_ok=True)
    if not line.is_alone:  # otherwise the words do not give this configuration again, and the new checkpoint does
        with write_whole(record) as unfinished:
            OmegaConf.save(OmegaConf.create(words), unfinished)
    training.run(cfg)
    return open_run(folder, accepted=accept(OmegaConf.to_container(cfg, resolve=True)))


def sample(
    run: Run,
    count: int = 64,
    *,
    z: Tensor | None = None,
    labels: Tensor | Sequence[int] | int | None = None,
    seed: int = 0,
    generator: str | None = None,
) -> Tensor:
    """Samples of a run's generator.

    Args:
        run: from :func:`train` or :func:`open_run`.
        count: number of samples if ``z`` is not given.
        z: latents (N, dim); None draws them from the prior.
        labels: one label per sample or one for all, for a conditional generator; None draws them from the prior.
        seed: seed of the latents and labels; sample i is a function of (seed, i), whatever the count.
        generator: ``ema`` or ``raw``; None for the EMA if there is one.

    Returns:
        float32 (N, C, H, W) in [0, 1], on the CPU.
    """
    drawn, drawn_labels = run.sampler.numbered_latents(count if z is None else len(z), seed)
    if labels is None:
        labels = drawn_labels
    elif isinstance(labels, int):
        labels = torch.full_like(drawn_labels, labels)
    return run.sampler.sample(run.sampler.choose(generator), drawn if z is None else z, torch.as_tensor(labels))


def evaluate(
    run: Run,
    *metrics: str,
    features: str | None = None,
    num_samples: int | None = None,
    seed: int = 0,
    split: str = "test",
) -> list[Row]:
    """Compares samples of each generator and real images (the floor) with reference images.

    Args:
        run: from :func:`train` or :func:`open_run`.
        *metrics: names in ``conf/metrics/``, such as ``"frechet"``.
        features: name of the feature extractor in ``conf/features/``; None for the data's default.
        num_samples: per generator; None for the number common in the data's literature.
        seed: seed of the latents.
        split: the reference images, ``test`` or ``valid``.

    Returns:
        One row per score: ``row.generator``, ``row.measure.name``, ``.value``, ``.standard_error``.
    """
    chosen = [f"metrics=[{','.join(metrics)}]"] + ([] if features is None else [f"features={features}"])
    cfg = compose(*chosen, config_name="evaluate")
    built = [part(cfg, f"metrics.{name}") for name in cfg.metrics]
    reference = evaluation.reference_for(cfg, run, built, {}, split)
    return compare(run.sampler, reference, built, run.sampler.names, num_samples, seed)[0]


def plot(
    runs: Run | Sequence[Run], figure: str = "grid", folder: str | Path | None = None, **options: object
) -> list[Path]:
    """Draws a figure of one run, or of several runs together (``curves``, ``gradient_norms``).

    Args:
        runs: from :func:`train` or :func:`open_run`.
        figure: a name in ``conf/figures/``.
        folder: the folder of the files; None for ``figures/`` in the first run's folder.
        **options: keys of the figure, such as ``count=100``.

    Returns:
        The files written.
    """
    several = [runs] if isinstance(runs, Run) else list(runs)
    overrides = [f"figures.{figure}.{key}={_quote(value)}" for key, value in options.items()]
    drawn = part(compose(f"figures={figure}", *overrides, config_name="sample"), f"figures.{figure}")
    place = several[0].folder / "figures" if folder is None else Path(folder)
    if isinstance(drawn, Comparison):
        return drawn.compare(several, place)
    return [path for run in several for path in drawn(run, place if len(several) == 1 else place / run.folder.name)]


def export(
    run: Run,
    format: str = "safetensors",
    folder: str | Path | None = None,
    *,
    generator: str | None = None,
    overwrite: bool = False,
    **options: object,
) -> list[Path]:
    """Writes a run's generator for other programs.

    Args:
        run: from :func:`train` or :func:`open_run`.
        format: a name in ``conf/format/``.
        folder: the folder of the files; None for ``export/`` in the run's folder.
        generator: ``ema`` or ``raw``; None for the EMA if there is one.
        overwrite: whether files that exist are replaced.
        **options: keys of the format, such as ``half_weights=False``.

    Returns:
        The files written.
    """
    overrides = [f"format.{key}={_quote(value)}" for key, value in options.items()]
    chosen = part(compose(f"format={format}", *overrides, config_name="export"), "format")
    place = run.folder / "export" if folder is None else Path(folder)
    return list(exporting.export(run, chosen, place, generator, overwrite))


def report(folder: str | Path, file: str | Path | None = None, **options: object) -> Path:
    """Writes one HTML page about the runs of a sweep, as ``report.py`` does.

    Args:
        folder: a sweep's folder, or a run's.
        file: the page; None for ``report.html`` in that folder.
        **options: keys of ``conf/report.yaml``, such as ``best_by="frechet_distance/ema"``.

    Returns:
        The page's file.

    Raises:
        UserError: the folder holds no run, or an option is wrong.
    """
    given = {"run": folder, "file": file} | options
    words = [f"{key}={_quote(value)}" for key, value in given.items() if value is not None]
    return reporting.run(compose(*words, config_name="report"))


def read_scalars(run: Run, *names: str) -> dict[str, list[tuple[float, float]]]:
    """Points (epoch, value) of a run's curves, such as ``D(x)`` and ``loss/generator``."""
    return RunFolder(run.folder).read_scalars(names)


def _quote(value: object) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, str | Path):
        return quote(str(value))
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def _print_messages() -> None:
    """Prints log messages if the program has not configured logging."""
    if not (log.handlers or logging.getLogger().handlers):
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
