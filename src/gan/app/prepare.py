"""Preparation before the first step: loads the data, adapts the networks to it and checks everything."""

import logging

import torch
from omegaconf import DictConfig

from gan.core.batch import Batch
from gan.core.errors import UserError, one_line
from gan.data.base import ImageData, Source
from gan.methods.base import Method
from gan.networks.base import Generator
from gan.networks.normalization import SpectralWeight
from gan.runs import checkpoint
from gan.runs.build import Experiment

log = logging.getLogger(__name__)


def prepare(experiment: Experiment, cfg: DictConfig) -> list[str]:
    """Loads the data and adapts the networks to it, so that errors appear before the first step.

    Returns:
        The names of the scalars that the training will log.

    Raises:
        UserError: the data cannot be read, or the networks do not fit it.
    """
    method, data = experiment.module, experiment.data
    data.prepare_data()
    data.setup("fit")
    method.total_iterations = count_iterations(cfg, data.batches_per_epoch(experiment.trainer.world_size))
    if not cfg.ckpt_path:  # a checkpoint already contains the adapted weights
        method.generator.adapt_to_data(data.mean_image)
        load_trained(method.generator)
    method.restart_ema()
    check_pixels(method, data)
    warn_of_mixed_examples(method)
    warn_of_unbounded_critic(method)
    return check_networks(method, data)


def check_pixels(method: Method, data: Source) -> None:
    """Raises UserError if the data are no images, and the method's likelihood is one of pixels in [0, 1]."""
    likelihood = getattr(method, "likelihood", None)
    if likelihood is not None and likelihood.needs_pixels and not isinstance(data, ImageData):
        raise UserError(
            f"likelihood: {type(likelihood).__name__} pixels lie in [0, 1], unlike {data.describe()}; take "
            "likelihood=gaussian."
        )


def warn_of_mixed_examples(method: Method) -> None:
    """Logs one line for each penalty on gradients of single examples that D's normalization or view mixes."""
    discriminator = getattr(method, "discriminator", None)
    if discriminator is None or not discriminator.needs_whole_batch:
        return
    for name, term in method.objectives.items():
        if term.needs_independence:
            log.warning(
                "penalty.%s: model.discriminator mixes the examples of a batch, so the gradient of one example's score "
                "is not its own; take layer, instance, group or spectral normalization, and no view that compares "
                "examples.",
                name,
            )


def warn_of_unbounded_critic(method: Method) -> None:
    """Logs one line if D's loss has no lower bound: no penalty, constraint or normalization bounds D's slope."""
    if not getattr(method.objectives.get(""), "needs_lipschitz", False):
        return
    penalized = any(term.needs_independence for term in method.objectives.values())
    normalized = any(isinstance(part, SpectralWeight) for part in method.discriminator.modules())
    if not (penalized or normalized or method.players["discriminator"].constraint):
        log.warning(
            "loss: nothing bounds the critic's slope, so its scores can grow without end; take "
            "penalty=gradient_penalty, constraint=weight_clipping or spectral normalization."
        )


def load_trained(generator: Generator) -> None:
    """Loads the weights of another run's generator into a generator that starts from it."""
    if generator.start_from is None:
        return
    key = generator.start_key
    saved = checkpoint.read(generator.start_from, key)
    names = ["generator_ema."] * generator.start_from_ema + ["generator."]
    prefix = next((name for name in names if any(key.startswith(name) for key in saved["state_dict"])), names[-1])
    weights = {k.removeprefix(prefix): v for k, v in saved["state_dict"].items() if k.startswith(prefix)}
    try:
        generator.load_trained(weights)
    except RuntimeError as error:
        raise UserError(f"{key}={generator.start_from} holds another generator: {one_line(error)[:200]}.") from error
    log.info("generator weights from %s, iteration %s", generator.start_from, f"{saved['iteration']:,}")


def count_iterations(cfg: DictConfig, batches_per_epoch: int) -> int:
    """Length of the whole run in batches, from the Trainer's three limits."""
    limit = cfg.trainer.limit_train_batches
    batches = min(batches_per_epoch, limit) if isinstance(limit, int) else int(batches_per_epoch * min(limit, 1.0))
    if batches < 1:
        raise UserError(f"trainer.limit_train_batches={limit} leaves none of the {batches_per_epoch} batches.")
    bounds = [n for n in ((cfg.trainer.max_epochs or -1) * batches, cfg.trainer.max_steps or -1) if n > 0]
    if tried := int(cfg.trainer.get("fast_dev_run") or 0):  # Lightning's trial run of so many batches
        return min(tried, batches, *bounds)
    if not bounds:
        raise UserError("trainer.max_epochs or trainer.max_steps must set an end to the training.")
    if isinstance(cfg.k, int) and min(bounds) < cfg.k and not cfg.method.get("same_batch"):
        raise UserError(f"k={cfg.k}: the generator would never move in a run of {min(bounds)} batches.")
    return min(bounds)


def check_networks(method: Method, data: Source) -> list[str]:
    """Runs every network once on two examples, or on the examples of two logits of D, in evaluation mode.

    Returns:
        The names of the scalars that the training will log.

    Raises:
        UserError: shapes do not fit, or a loss or term needs an output that a network does not have.
    """
    shape = (data.channels, data.image_size, data.image_size)
    count = 2 * getattr(getattr(method, "discriminator", None), "pack", 1)
    labels = torch.full((count,), 0 if data.classes else -1)
    method.eval()
    try:
        return method.check(Batch(images=torch.zeros(count, *shape), labels=labels))
    except (RuntimeError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"model does not fit images of shape {shape}: {one_line(error)}.") from error
    finally:
        method.train()
