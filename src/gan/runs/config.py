"""Types and ranges of the plain numbers of a configuration, checked before anything is built."""

import math
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from gan.core.errors import UserError


@dataclass(frozen=True)
class Number:
    """What a key may hold.

    Args:
        low: the smallest value.
        below: values must be smaller than this.
        whole: only whole numbers.
        also: values that are fine besides.
    """

    low: float = -math.inf
    below: float = math.inf
    whole: bool = False
    also: tuple = ()

    def admits(self, value: object) -> bool:
        if value in self.also and not isinstance(value, bool):
            return True
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.low <= value < self.below

    def __str__(self) -> str:
        words = "a whole number" if self.whole else "a number"
        words += f" of at least {self.low:g}" if self.low > -math.inf else ""
        words += f" and below {self.below:g}" if self.below < math.inf else ""
        return words + "".join(f", or {'null' if value is None else value}" for value in self.also)


COUNT = Number(low=1, whole=True)
SHARE = Number(low=0, below=1)
METRICS = {
    "metrics.kernel.subsets": Number(low=2, whole=True),
    "metrics.inception_score.splits": Number(low=2, whole=True),
    "metrics.precision_recall.k": COUNT,
    "metrics.density_coverage.k": COUNT,
    "metrics.birthday.quantile": Number(low=0, below=1),
    "metrics.modes.least": COUNT,
    "metrics.vendi.count": Number(low=2, whole=True),
    "metrics.vendi.width": Number(low=0),
    "metrics.parzen.sigmas": COUNT,
    "metrics.parzen.low": Number(),
    "metrics.parzen.high": Number(),
}
#: keys that a configuration does not have (those of another data set, say) are passed over
TRAINING = {
    "seed": Number(whole=True),
    "k": COUNT,
    "g_steps": COUNT,
    "ema.decay": Number(low=0, below=1),
    "ema.power": Number(low=0),
    "latent.dim": COUNT,
    "data.batch_size": COUNT,
    "data.image_size": COUNT,
    "data.channels": COUNT,
    "data.classes": Number(low=0, whole=True),
    "data.validation_size": Number(low=0, whole=True),
    "data.validation_share": Number(low=0, below=1),
    "data.test_share": Number(low=0, below=1),
    "data.memory": Number(low=0),
    "data.workers": Number(low=0, whole=True),
    "data.fold": Number(low=0, below=5, whole=True),
    "data.mean": Number(),
    "data.deviation": Number(low=0),
    "data.batches_per_epoch": COUNT,
    "data.modes": COUNT,
    "data.radius": Number(low=0),
    "data.side": COUNT,
    "data.spacing": Number(low=0),
    "data.examples": Number(low=2, whole=True),
    "optim.generator.lr": Number(low=0),
    "optim.discriminator.lr": Number(low=0),
    "optim.gradient_clip": Number(low=0),
    "trainer.max_epochs": Number(low=1, whole=True, also=(-1, None)),
    "trainer.max_steps": Number(low=1, whole=True, also=(-1, None)),
    "trainer.limit_train_batches": Number(low=0),
    "callbacks.monitor.every_n_batches": COUNT,
    "callbacks.guard.every_n_batches": COUNT,
    "callbacks.diagnosis.every_n_batches": COUNT,
    "callbacks.diagnosis.warm_up": Number(low=0, whole=True),
    "callbacks.diagnosis.samples": Number(low=2, whole=True),
    "callbacks.diagnosis.samples_every_n_batches": COUNT,
    "callbacks.diagnosis.checks_to_clear": COUNT,
    **{
        f"callbacks.diagnosis.symptoms.{key}": number
        for key, number in {
            "discriminator_won.real": SHARE,
            "discriminator_won.fake": SHARE,
            "discriminator_won.checks": COUNT,
            "generator_ahead.margin": Number(low=0),
            "generator_ahead.checks": COUNT,
            "mode_collapse.share": SHARE,
            "mode_collapse.growth": Number(low=1),
            "mode_collapse.fall": SHARE,
            "mode_collapse.checks": COUNT,
            "oscillation.low": SHARE,
            "oscillation.high": SHARE,
            "oscillation.swings": COUNT,
            "oscillation.checks": COUNT,
            "blow_up.factor": Number(low=1),
            "blow_up.checks": COUNT,
        }.items()
    },
    "callbacks.sample_grids.every_n_batches": COUNT,
    "callbacks.sample_grids.count": COUNT,
    "callbacks.sample_grids.columns": COUNT,
    "callbacks.scores.every_n_epochs": COUNT,
    "callbacks.scores.num_samples": Number(low=2, whole=True),
    "callbacks.plane.every_n_batches": COUNT,
    "callbacks.plane.count": COUNT,
    **METRICS,
    "callbacks.checkpoint.every_n_minutes": Number(low=0, also=(None,)),
    "callbacks.checkpoint.every_n_batches": Number(low=1, whole=True, also=(None,)),
    "callbacks.checkpoint.keep_every_n_epochs": Number(low=1, whole=True, also=(None,)),
}
SAMPLING = {"seed": Number(whole=True), "num_samples": COUNT}
EVALUATION = {"seed": Number(whole=True), "num_samples": Number(low=2, whole=True, also=(None,)), **METRICS}
#: keys that hold text or null, wherever they occur
TEXTS = ("ckpt_path", "objective", "run", "checkpoint", "generator", "device", "folder", "select", "select_by")


def check(cfg: DictConfig, numbers: dict[str, Number]) -> None:
    """Raises UserError for the first key whose value is of another type or out of its range.

    Args:
        cfg: the composed configuration.
        numbers: what its numbers may be, ``TRAINING`` or ``EVALUATION``.
    """
    for key, number in numbers.items():
        where, _, name = key.rpartition(".")
        parent = OmegaConf.select(cfg, where) if where else cfg
        if parent is None and where.startswith(("callbacks", "metrics")):
            continue  # a callback or metric that was left out
        if not OmegaConf.is_dict(parent):
            raise UserError(f"{where} must be a mapping of keys to values, got {parent or 'null'}.")
        if name in parent and not number.admits(value := parent[name]):
            raise UserError(f"{key} must be {number}, got {'null' if value is None else value}.")
    for key in TEXTS:
        if not isinstance(cfg.get(key), str | None):
            raise UserError(f"{key} must be text or null, got {cfg[key]}.")


def flatten(config: object, prefix: str = "") -> dict[str, object]:
    """{"a": {"b": 1}} to {"a.b": 1}."""
    if not isinstance(config, dict):
        return {prefix: config}
    return {k: v for key, value in config.items() for k, v in flatten(value, f"{prefix}.{key}".lstrip(".")).items()}
