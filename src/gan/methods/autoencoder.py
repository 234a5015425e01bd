"""Autoencoders: plain, with a Gaussian fitted to the codes; and adversarial (Makhzani et al. 2016)."""

from collections.abc import Mapping

from torch import nn

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.losses.likelihoods import Bernoulli, Likelihood
from gan.methods.base import Due, Logs
from gan.methods.encoding import Encoding
from gan.methods.gan import GAN
from gan.networks.base import Network
from gan.networks.fitted import GaussianFit, Whitening


class Autoencoder(Encoding):
    """One player trains encoder and decoder on the error of reconstructions, -log p(x | code).

    The codes follow no prior. A Gaussian is fitted to them during training (:class:`gan.networks.fitted.GaussianFit`),
    so that samples can be drawn from it as from any generator.

    Args:
        likelihood: p(x | code); None for Bernoulli pixels.
        **base: see :class:`gan.methods.encoding.Encoding`; the latent must be N(0, I).

    Raises:
        UserError: the generator has no Gaussian.
    """

    player_names = ("generator",)
    generator: GaussianFit

    def __init__(self, *, likelihood: Likelihood | None = None, **base) -> None:
        super().__init__(**base)
        self.likelihood = likelihood or Bernoulli()
        if not isinstance(self.generator, GaussianFit):
            raise UserError(
                "method=autoencoder needs a Gaussian of the codes to sample from; take conditioning=gaussian_fit."
            )

    @property
    def trained_networks(self) -> dict[str, tuple[Network, ...]]:
        return {"generator": (self.encoder, self.generator)}

    def train_on_batch(self, batch: Batch) -> Logs:
        return self.take_steps(batch, self.reconstruction_step, "generator")

    def reconstruction_step(self, batch: Batch, due: Mapping[str, Due]) -> Logs:
        """The gradient of the error, and the moments of the codes."""
        codes = self.encoder(batch.images).float()
        error = self.likelihood(self.generator.decode(codes, batch.labels).float(), batch.images)
        self.generator.observe(codes.detach())
        return self.compute_gradient("generator", {"": error})

    def after_step(self, player: str) -> None:
        self.generator.fit()  # before its EMA copies it
        super().after_step(player)

    def code_layer(self, generator: nn.Module) -> nn.Module:
        assert isinstance(generator, GaussianFit)
        return Whitening(generator)


class AdversarialAutoencoder(Encoding, GAN):
    """An autoencoder whose codes D cannot tell from the prior: a GAN in which the encoder generates codes.

    On each batch encoder and decoder take a step on -log p(x | E(x)) (the player ``autoencoder``), then D a step on
    codes of the prior, as real ones, and E(x), then the encoder a step against D (the player ``generator``). Makhzani
    et al. 2016, "Adversarial Autoencoders", section 2. The scalars ``D(x)`` and ``D(G(z))`` are those of codes: D of
    the prior's and D(E(x)).

    Args:
        likelihood: p(x | code); None for Bernoulli pixels.
        **gan: see :class:`gan.methods.encoding.Encoding` and :class:`gan.methods.gan.GAN`; D gets codes alone.

    Raises:
        UserError: D needs images.
    """

    player_names = ("discriminator", "generator", "autoencoder")

    def __init__(self, *, likelihood: Likelihood | None = None, **gan) -> None:
        super().__init__(**gan)
        self.likelihood = likelihood or Bernoulli()
        if not self.discriminator.needs_z:
            raise UserError(
                "method=adversarial_autoencoder needs a discriminator of codes; take model=adversarial_autoencoder."
            )

    @property
    def trained_networks(self) -> dict[str, tuple[Network, ...]]:
        return {
            "discriminator": (self.discriminator,),
            "generator": (self.encoder,),
            "autoencoder": (self.encoder, self.generator),
        }

    def total_updates(self, player: str) -> int:
        return self.total_iterations if player == "autoencoder" else super().total_updates(player)

    def train_on_batch(self, batch: Batch) -> Logs:
        logs = self.take_steps(batch, self.reconstruction_step, "autoencoder")
        return logs | super().train_on_batch(batch)

    def reconstruction_step(self, batch: Batch, due: Mapping[str, Due]) -> Logs:
        """The gradient of the error for encoder and decoder."""
        with self.only_trainable("autoencoder"):
            codes = self.encoder(batch.images)
            error = self.likelihood(self.generator(codes, batch.labels).float(), batch.images)
            return self.compute_gradient("autoencoder", {"": error})

    def real(self, batch: Batch) -> Batch:
        """Codes from the prior."""
        z, labels = self.latent(self.random_rows, batch.labels)
        return Batch(labels=labels, z=z)

    def fake(self, batch: Batch) -> Batch:
        """Codes of the images."""
        return Batch(labels=batch.labels, z=self.encoder(batch.images).float())
