"""Detects and reports training problems while a run trains."""

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from tqdm import tqdm

from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.core.random import RandomRows, derive
from gan.metrics.base import Images
from gan.metrics.features import FeatureExtractor, Pixels
from gan.metrics.vendi import median_distance, vendi_score
from gan.networks.sampling import sample
from gan.training.symptoms import History, Observation, Symptom

log = logging.getLogger(__name__)


class Diagnosis(Callback):
    """Checks for symptoms every n-th batch, and logs one line when a symptom starts and one when it ends.

    The line goes to the terminal, to ``train.log`` and to TensorBoard's texts. A TensorBoard curve ``diagnosis/NAME``
    is 1 while the symptom is present. Nothing is reported during the warm-up.

    As in the monitor, only references to scalars on the device are kept between two checks. The state is part of the
    checkpoint, so a resumed run logs the same lines.

    Args:
        features: the feature extractor for the variety of samples. Pixels are used instead if it first needs training
            or a download, or does not support these images.
        symptoms: the symptoms to check for, by name.
        every_n_batches: batches between two checks, at least 1.
        warm_up: batches at the start that define the usual levels, at least 0.
        samples: number of samples, and of real images, for the variety, at least 2.
        samples_every_n_batches: batches between two measurements of the variety, a multiple of ``every_n_batches``, at
            most as many as each symptom's checks allow for its measurements.
        checks_to_clear: number of checks without a symptom after which it has ended, at least 1.
    """

    def __init__(
        self,
        features: FeatureExtractor,
        symptoms: Mapping[str, Symptom],
        every_n_batches: int = 50,
        warm_up: int = 100,
        samples: int = 128,
        samples_every_n_batches: int = 500,
        checks_to_clear: int = 10,
    ) -> None:
        check_integer("[1, inf)", every_n_batches=every_n_batches, samples_every_n_batches=samples_every_n_batches)
        check_integer("[0, inf)", warm_up=warm_up)
        check_integer("[2, inf)", samples=samples)
        check_integer("[1, inf)", checks_to_clear=checks_to_clear)
        if samples_every_n_batches % every_n_batches:
            raise ValueError(
                f"samples_every_n_batches must be a multiple of every_n_batches={every_n_batches}, "
                f"got {samples_every_n_batches}"
            )
        for name, symptom in symptoms.items():
            needed, batches = symptom.measurements, symptom.checks * every_n_batches
            if needed * samples_every_n_batches > batches:
                raise ValueError(
                    f"samples_every_n_batches must be at most {batches // needed}, so that {name} has {needed} "
                    f"measurements in its {symptom.checks} checks, got {samples_every_n_batches}"
                )
        self.net, self.symptoms = features, dict(symptoms)
        self.every_n_batches, self.warm_up = every_n_batches, warm_up
        self.samples, self.samples_every_n_batches = samples, samples_every_n_batches
        self.checks_to_clear = checks_to_clear
        self.kept = max((symptom.checks for symptom in self.symptoms.values()), default=1)
        self.history = History()
        #: for each reported symptom that has not ended: the number of checks since it was last found
        self.present: dict[str, int] = {}
        self.window: dict[str, list[Tensor]] = {}
        self._real: tuple[float, float] | None = None  # the kernel's width, and the variety of real images

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.history.early:  # the usual level of a weight norm is its initial value
            norms = {name: float(norm) for name, norm in weight_norms(pl_module).items()}
            self.history.early.append(Observation(pl_module.iteration, norms))
        if trainer.is_global_zero and trainer.datamodule.has_fixed_examples:
            self._see_real_images(trainer, pl_module)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        for name, value in outputs.items():
            self.window.setdefault(name, []).append(value)
        if pl_module.iteration % self.every_n_batches == 0:
            self.remember(self.observe(trainer, pl_module))
            self.window = {}
            if pl_module.iteration > self.warm_up:
                self.judge(trainer, pl_module)

    # Observations

    def observe(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Observation:
        """The scalars since the previous check, averaged over batches and processes."""
        gradients = {f"gradient_norm/{player}": norm for player, norm in pl_module.gradient_norms().items()}
        norms = gradients | weight_norms(pl_module)
        counts = [len(values) for values in self.window.values()]
        everything = torch.cat([*map(torch.stack, self.window.values()), torch.stack(list(norms.values()))])
        # The callback's only device synchronization between two checks.
        numbers = trainer.strategy.reduce(everything, reduce_op="mean").tolist()
        series = {}
        for name, count in zip(self.window, counts, strict=True):
            series[name], numbers = numbers[:count], numbers[count:]
        values = {name: math.fsum(numbers) / len(numbers) for name, numbers in series.items()}
        values |= dict(zip(norms, numbers, strict=True))
        if trainer.is_global_zero and pl_module.iteration % self.samples_every_n_batches == 0:
            values |= self.variety(pl_module)
        return Observation(pl_module.iteration, values, series.get("D(G(z))", []))

    def remember(self, observation: Observation) -> None:
        """Stores an observation: all of the warm-up, and as many of the later ones as a symptom needs."""
        if observation.iteration <= self.warm_up:
            self.history.early.append(observation)
        else:
            self.history.latest = [*self.history.latest, observation][-self.kept :]

    def variety(self, pl_module: pl.LightningModule) -> dict[str, float]:
        """The effective numbers of different samples and real images; empty if they cannot be computed."""
        if self._real is None:
            return {}
        width, real = self._real
        random = RandomRows(generator=torch.Generator().manual_seed(derive(pl_module.seed, "diagnosis")))
        z, labels = pl_module.latent(random, torch.full((self.samples,), -1))
        features = Images(sample(pl_module.generator, z.to(pl_module.device), labels), self.net).features
        if not features.isfinite().all():  # the guard reports it
            return {}
        return {"variety/samples": vendi_score(features, width), "variety/real": real}

    def _see_real_images(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measures the variety of real images, with which that of the samples is compared."""
        self.net = extractor_for(trainer.datamodule, self.net).to(pl_module.device)
        images = trainer.datamodule.splits["train"].images
        choice = torch.Generator().manual_seed(derive(pl_module.seed, "diagnosis"))
        some = images[torch.randperm(len(images), generator=choice)[: self.samples]]
        self.samples = len(some)  # no more samples than images, otherwise samples would seem more varied
        features = Images(some.to(pl_module.device), self.net).features
        # Half the median: real images of different classes count as different, those of one class as partly so.
        width = median_distance(features) / 2 if len(features) > 1 else 0.0
        self._real = (width, vendi_score(features, width)) if width > 0 else None

    # Reports

    def judge(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Checks each symptom, logs those that started or ended, and writes the curves."""
        for name, symptom in self.symptoms.items():
            found = symptom(self.history)
            if found is not None:
                if name not in self.present:
                    self.tell(trainer, pl_module, f"{symptom.title}: {found}. What usually helps: {symptom.helps}")
                self.present[name] = 0
            elif name in self.present:
                self.present[name] += 1
                if self.present[name] == self.checks_to_clear:
                    del self.present[name]
                    self.tell(trainer, pl_module, f"no longer: {symptom.title}")
        curves = {f"diagnosis/{name}": float(name in self.present) for name in self.symptoms}
        for logger in trainer.loggers:
            logger.log_metrics(curves, step=pl_module.iteration)

    @staticmethod
    def tell(trainer: pl.Trainer, pl_module: pl.LightningModule, message: str) -> None:
        """Writes one line to the terminal and the log, and a text to TensorBoard."""
        if not trainer.is_global_zero:
            return
        with tqdm.external_write_mode():  # clears a progress bar while the line is written
            log.warning("iteration %s: %s", f"{pl_module.iteration:,}", message)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_text("diagnosis", message, pl_module.iteration)

    # Checkpoints

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        # All processes share one file, so it contains the means over processes.
        checkpoint["diagnosis"] = {
            "history": asdict(self.history),
            "present": dict(self.present),
            "window": {n: trainer.strategy.reduce(torch.stack(v), reduce_op="mean") for n, v in self.window.items()},
        }

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        if (state := checkpoint.get("diagnosis")) is None:
            return
        found = {when: [Observation(**one) for one in found] for when, found in state["history"].items()}
        self.history = History(**found)
        self.present = {name: count for name, count in state["present"].items() if name in self.symptoms}
        device = trainer.strategy.root_device
        self.window = {name: list(values.to(device)) for name, values in state["window"].items()}


def weight_norms(pl_module: pl.LightningModule) -> dict[str, Tensor]:
    """The Euclidean norm of each player's weights."""
    return {
        f"weight_norm/{player}": torch.nn.utils.get_total_norm([p.detach() for p in pl_module.parameters_of(player)])
        for player in pl_module.player_names
    }


def extractor_for(data, net: FeatureExtractor) -> FeatureExtractor:
    """The feature extractor if it is ready for images of ``data``, else pixels."""
    if not net.ready:
        return Pixels()
    try:
        net.prepare(data)
    except UserError:  # its message concerns only metrics
        return Pixels()
    return net.eval().requires_grad_(False)
