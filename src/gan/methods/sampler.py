"""The interface of a trained method for metrics and figures, independent of its run."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from gan.core.batch import Batch, Output
from gan.core.errors import UserError, did_you_mean
from gan.core.images import scale
from gan.core.random import RandomRows, derive, forked
from gan.methods.base import Method
from gan.networks.base import Encoder
from gan.networks.sampling import evaluating, sample

ROWS = 10_000  # latents per block: as many as most evaluations score
#: latents (N, dim) and labels int64 (N,)
Drawn = tuple[Tensor, Tensor]

BATCH = 500  # images per forward pass: enough to fill a device, few enough for its memory


class NotFiniteError(UserError):
    """Samples that are not finite."""


class Sampler:
    """Generates samples as a function of a seed.

    Args:
        method: a trained method, or one in training.
        initial: builds the method as it was before training; None if nobody can.

    Attributes:
        offers: names of what the method provides to metrics in addition to samples.
    """

    def __init__(self, method: Method, initial: Callable[[], Method] | None = None) -> None:
        self.method, self.offers, self.initial = method, method.offers, initial

    @property
    def names(self) -> list[str]:
        """The generators: ``raw``, and ``ema`` if there is one."""
        return list(self.method.generators())

    def generator(self, name: str) -> nn.Module:
        """The generator of that name; raises UserError if there is none."""
        known = self.method.generators()
        if name not in known:
            raise UserError(
                f"generator={name}: this run has {' and '.join(known)}."
                + did_you_mean(name, known)
                + (" With ema.decay=0 it keeps no EMA." if name == "ema" else "")
            )
        return known[name]

    def choose(self, name: str | None) -> str:
        """``name``, or UserError if there is no such generator. For None: ``ema`` if there is one, else ``raw``."""
        name = name or self.names[-1]
        self.generator(name)
        return name

    @torch.no_grad()
    def latents(self, count: int, seed: int, stream: str = "samples", label: int | None = None) -> Drawn:
        """Draws ``count`` latents from the prior, on the CPU.

        Args:
            count: the number of latents.
            seed: of the random numbers.
            stream: other numbers for each purpose.
            label: the class of all of them; None for random classes, if the prior has classes.

        Returns:
            z (count, dim) and labels int64 (count,), -1 if the prior has no classes.

        Raises:
            UserError: there is no such class.
        """
        random = RandomRows(generator=torch.Generator().manual_seed(derive(seed, stream)))
        return self.method.latent(random, self.wanted(count, label))

    @torch.no_grad()
    def numbered_latents(self, count: int, seed: int, label: int | None = None) -> Drawn:
        """As :meth:`latents`, but latent i and its label are functions of (seed, i), whatever the count.

        In :meth:`latents` the last 16 numbers and the labels depend on the count. Whole blocks are drawn here, so the
        first 10,000 latents are those of ``latents(10_000, seed)``.
        """
        found: list[Tensor] = []
        for block, start in enumerate(range(0, count, ROWS)):
            random = RandomRows(generator=torch.Generator().manual_seed(derive(seed, "samples", block)))
            drawn = self.method.latent(random, self.wanted(ROWS, label))
            found = found or [part.new_empty(count, *part.shape[1:]) for part in drawn]
            for whole, part in zip(found, drawn, strict=True):
                whole[start : start + ROWS] = part[: count - start]
        z, labels = found
        return z, labels

    def wanted(self, count: int, label: int | None) -> Tensor:
        """The requested classes, int64 (count,), -1 for none; raises UserError if there is no such class."""
        if label is not None:
            self.check_class(label)
        return torch.full((count,), -1 if label is None else label)

    def known(self, labels: Tensor) -> Tensor:
        """The labels of real images as the generator takes them: -1 if this run has no classes."""
        return labels if self.method.latent.classes else torch.full_like(labels, -1)

    def check_class(self, label: int) -> None:
        """Raises UserError if there is no such class."""
        classes = self.method.latent.classes
        if label not in range(classes):
            known = (
                f"its classes are 0 to {classes - 1}" if classes else "its generator has no classes (latent=labelled)"
            )
            raise UserError(f"label={label}: there is no such class in this run; {known}.")

    def sample(self, name: str, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images for given latents.

        Args:
            name: of the generator.
            z: (N, dim).
            labels: int64 (N,), required by a conditional generator; None for unknown labels. Or float32 (N, classes),
                a share of each class.

        Returns:
            float32 (N, C, H, W) in [0, 1], on the CPU.

        Raises:
            UserError: there is no such class.
            NotFiniteError: samples of finite latents are not finite, because the training has diverged.
        """
        labels = torch.full((len(z),), -1) if labels is None else labels
        if not labels.is_floating_point() and len(labels) and (largest := int(labels.max())) >= 0:
            self.check_class(largest)
        images = torch.cat(list(self._parts(self.generator(name), z, labels)))
        if z.isfinite().all() and not images.isfinite().all():
            raise NotFiniteError(
                f"the samples of the {name} generator are not finite, because its training diverged; take an earlier "
                "checkpoint."
            )
        return images

    @torch.no_grad()
    def describe(self, images: Tensor, name: str = "raw") -> Output:
        """The outputs of a trained D for real or generated images, on the CPU.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
            name: ``ema`` for the EMA of D's weights, if the method keeps one; else D itself.
        """
        average = getattr(self.method, "discriminator_ema", None)
        network = average if name == "ema" and average is not None else self.method.discriminator
        device = next(network.parameters()).device
        with evaluating(network):
            parts = [
                network(Batch(images=some.to(device), labels=torch.full((len(some),), -1, device=device)))
                for some in images.split(BATCH)
            ]
        columns = {name: torch.cat([getattr(part, name) for part in parts]).cpu() for name, _ in parts[0].items()}
        return Output(**columns)

    # Encoders

    def encoder(self, name: str) -> Encoder:
        """The encoder that was trained with the generator of that name; raises UserError if there is none."""
        self.generator(name)
        known: dict[str, Encoder] = getattr(self.method, "encoders", dict)()
        if not known:
            raise UserError(
                f"{type(self.method).__name__} trains no encoder; method=bigan, vae, autoencoder and others do."
            )
        return known[name]

    def encode(self, name: str, images: Tensor) -> Tensor:
        """The latents (N, dim) of images by an encoder, which G maps to their reconstructions, on its device.

        Args:
            name: ``raw`` or ``ema``.
            images: (N, C, H, W), float32 in [0, 1] or uint8.
        """
        outputs = torch.cat(list(_outputs(self.encoder(name), images)))
        return self.method.code_layer(self.generator(name))(outputs)

    def describe_by(self, encoder: Encoder, images: Tensor) -> dict[str, Tensor]:
        """An encoder's outputs in evaluation mode: ``code`` (N, dim), and ``hidden`` (N, F) of its last hidden layer.

        Args:
            encoder: of this method, trained or not; one without hidden layers gives no ``hidden``.
            images: (N, C, H, W), float32 in [0, 1] or uint8.
        """
        codes = torch.cat(list(_outputs(encoder, images)))[:, : self.method.latent.dim]
        try:
            return {"hidden": torch.cat(list(_outputs(encoder, images, hidden=True))), "code": codes}
        except UserError:
            return {"code": codes}

    def untrained_encoder(self, images: Tensor) -> Encoder | None:
        """The encoder as it was before training, its batch normalization with statistics of the images.

        None if the initial weights cannot be had.
        """
        if self.initial is None:
            return None
        with forked(self.method.device):
            encoder = self.initial().to(self.method.device).encoder
        norms = [layer for layer in encoder.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
        for layer in norms:
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over batches
        if norms:
            for _ in _outputs(encoder, images[: 20 * BATCH], adapting=norms):
                pass
        return encoder

    def reconstruct(self, name: str, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """G(E(x)), float32 (N, C, H, W) in [0, 1], on the CPU; arguments as for :meth:`encode`."""
        return self.sample(name, self.encode(name, images), None if labels is None else self.known(labels))

    @staticmethod
    def _parts(generator: nn.Module, z: Tensor, labels: Tensor) -> Iterable[Tensor]:
        device = next(generator.parameters()).device
        for some_z, some_labels in zip(z.split(BATCH), labels.split(BATCH), strict=True):
            yield sample(generator, some_z.to(device), some_labels).cpu()


@torch.no_grad()
def _outputs(
    encoder: Encoder, images: Tensor, hidden: bool = False, adapting: Iterable[nn.Module] = ()
) -> Iterable[Tensor]:
    """The outputs of an encoder, or of its last hidden layer, for parts of the images, in evaluation mode.

    Layers in ``adapting`` are in training mode.
    """
    device = next(encoder.parameters()).device
    with evaluating(encoder):
        for layer in adapting:
            layer.train()
        for some in images.split(BATCH):
            pixels = scale(some.to(device))
            yield (encoder.features(pixels) if hidden else encoder(pixels)).float()
