"""What the loggers get in addition to curves: hyperparameters, results and image grids.

Each function has one variant per kind of logger, and one for all others.
"""

import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import singledispatch
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from torch import Tensor

from gan.evaluation.records import Row
from gan.runs.folder import METRICS_FILE
from gan.training.metrics_file import MetricsFile

Hyperparameters = Mapping[str, float | str]


class TensorBoard(TensorBoardLogger):
    """Lightning's logger, whose file stays open after the training: the results are computed later."""

    stays_open = False

    def finalize(self, status: str) -> None:
        if self.stays_open and status == "success":
            self.save()
        else:
            super().finalize(status)


def start(trainer: pl.Trainer, hyperparameters: Hyperparameters) -> None:
    """Writes the hyperparameters of a run that starts to every logger."""
    for logger in trainer.loggers if trainer.is_global_zero else ():
        log_start(logger, hyperparameters)


def finish(trainer: pl.Trainer, results: Mapping[str, float], step: int) -> None:
    """Writes the objective and the scores of a finished run to every logger."""
    for logger in trainer.loggers if trainer.is_global_zero and results else ():
        log_results(logger, results, step)


def close(trainer: pl.Trainer, status: str) -> None:
    """Ends the run of every logger as ``success`` or ``failed``."""
    for logger in trainer.loggers:
        end(logger, status)


@singledispatch
def log_start(logger: Logger, hyperparameters: Hyperparameters) -> None:
    """Writes the hyperparameters."""
    logger.log_hyperparams(dict(hyperparameters))


@log_start.register
def _(logger: TensorBoardLogger, hyperparameters: Hyperparameters) -> None:
    from torch.utils.tensorboard.summary import hparams

    logger.log_hyperparams(dict(hyperparameters))  # without metrics it writes only hparams.yaml
    # The first summary of hparams() lists the columns. TensorBoard would use that of one run for all runs, so that
    # columns of the others would be missing; without it, it shows the columns of all.
    _, start, _ = hparams(dict(hyperparameters), {})
    logger.experiment._get_file_writer().add_summary(start)


@log_start.register
def _(logger: TensorBoard, hyperparameters: Hyperparameters) -> None:
    log_start.dispatch(TensorBoardLogger)(logger, hyperparameters)
    logger.stays_open = True


@singledispatch
def log_results(logger: Logger, results: Mapping[str, float], step: int) -> None:
    """Writes the results."""
    logger.log_metrics(dict(results), step=step)


@log_results.register
def _(logger: TensorBoardLogger, results: Mapping[str, float], step: int) -> None:
    from torch.utils.tensorboard.summary import hparams

    logger.log_metrics(dict(results), step=step)
    _, _, end = hparams({}, {})
    logger.experiment._get_file_writer().add_summary(end)


def named_scores(rows: Sequence[Row]) -> dict[str, float]:
    """Scores by the names under which trackers get them, such as ``hp/frechet_distance/ema``."""
    return {f"hp/{row.measure.name}/{row.generator}": row.measure.value for row in rows}


def add_results(folder: Path, results: Mapping[str, float], step: int) -> None:
    """Adds scores to the event files of a run that has ended, if it has any."""
    from torch.utils.tensorboard import SummaryWriter

    if list(folder.glob("events.out.tfevents.*")):
        with SummaryWriter(str(folder)) as writer:
            for name, value in results.items():
                writer.add_scalar(name, value, step)


@singledispatch
def log_image(logger: Logger, name: str, image: Tensor, step: int) -> None:
    """Writes an image (3, H, W) in [0, 1]; nothing if the logger cannot take images."""


@log_image.register
def _(logger: TensorBoardLogger, name: str, image: Tensor, step: int) -> None:
    logger.experiment.add_image(name, image, step)


@log_image.register
def _(logger: WandbLogger, name: str, image: Tensor, step: int) -> None:
    from torchvision.transforms.functional import to_pil_image

    logger.log_image(name, [to_pil_image(image)], step=step)  # it would stretch the contrast of a tensor


@log_image.register
def _(logger: MLFlowLogger, name: str, image: Tensor, step: int) -> None:
    from torchvision.transforms.functional import to_pil_image

    logger.experiment.log_image(logger.run_id, to_pil_image(image), key=name, step=step)


@singledispatch
def end(logger: Logger, status: str) -> None:
    """Ends the logger's run, as ``success`` or ``failed``."""
    logger.finalize(status)


@end.register
def _(logger: TensorBoard, status: str) -> None:
    logger.stays_open = False
    logger.finalize(status)


@end.register
def _(logger: WandbLogger, status: str) -> None:
    logger.finalize(status)
    if "wandb" in sys.modules:  # otherwise the next job of a sweep would continue this run
        sys.modules["wandb"].finish(exit_code=int(status != "success"))


@singledispatch
def where(logger: Logger) -> str | None:
    """The file with the curves, or the command that shows them."""
    return None


@where.register
def _(logger: TensorBoardLogger) -> str:
    return shlex.join(["tensorboard", "--logdir", str(logger.save_dir)])


@where.register
def _(logger: MetricsFile) -> str:
    return str(Path(logger.save_dir) / METRICS_FILE)


@where.register
def _(logger: WandbLogger) -> str:
    folder = shlex.quote(str(logger.save_dir))
    return f"wandb sync {folder}/wandb/offline-run-*" if logger._offline else "on the page that wandb printed"


@where.register
def _(logger: MLFlowLogger) -> str:
    return shlex.join(["mlflow", "ui", "--backend-store-uri", str(logger._tracking_uri)])
