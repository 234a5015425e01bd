"""The variational autoencoder of Kingma and Welling 2014: one player, trained on a bound of the likelihood."""

from collections.abc import Mapping

from torch import Tensor

from gan.core.batch import Batch
from gan.core.checks import check_number
from gan.losses.likelihoods import Bernoulli, Likelihood
from gan.methods.base import Due, Logs
from gan.methods.encoding import Encoding
from gan.networks.base import Network


class VAE(Encoding):
    """One player trains encoder and generator (the decoder) on the negative ELBO.

        -ELBO = E_q(z|x) [-log p(x | z)] + β · KL(q(z | x) ‖ N(0, I)),

    in nats per image. q is a diagonal Gaussian, with one sample of z per image (Kingma and Welling 2014, equation 10
    and appendix B; β: Higgins et al. 2017).

    Args:
        beta: weight of the KL divergence, at least 0; 1 gives the ELBO.
        likelihood: p(x | z); None for Bernoulli pixels.
        **base: see :class:`gan.methods.encoding.Encoding`; the encoder gives mean and log variance, and the latent
            must be N(0, I).
    """

    player_names = ("generator",)
    per_code = 2

    def __init__(self, *, beta: float = 1.0, likelihood: Likelihood | None = None, **base) -> None:
        super().__init__(**base)
        check_number("[0, inf)", beta=beta)
        self.beta, self.likelihood = beta, likelihood or Bernoulli()

    @property
    def trained_networks(self) -> dict[str, tuple[Network, ...]]:
        return {"generator": (self.encoder, self.generator)}

    def train_on_batch(self, batch: Batch) -> Logs:
        return self.take_steps(batch, self.elbo_step, "generator")

    def elbo_step(self, batch: Batch, due: Mapping[str, Due]) -> Logs:
        """The gradient of the negative ELBO."""
        reconstruction, divergence = self.negative_elbo(batch)
        logs = self.compute_gradient("generator", {"": reconstruction + self.beta * divergence})
        return logs | {"elbo/reconstruction": reconstruction.detach(), "elbo/divergence": divergence.detach()}

    def negative_elbo(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """-E log p(x | z) and the KL divergence, by the reparametrization z = mean + deviation · ε."""
        mean, log_variance = self.encoder(batch.images).float().chunk(2, dim=1)
        epsilon = self.random_rows.normal(len(batch), mean.shape[1])
        z = mean + (log_variance / 2).exp() * epsilon
        reconstruction = self.likelihood(self.generator(z, batch.labels).float(), batch.images)
        return reconstruction, kl_to_standard_normal(mean, log_variance)

    def check(self, batch: Batch) -> list[str]:
        return [*super().check(batch), "elbo/reconstruction", "elbo/divergence"]


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, I)) in nats, averaged over the batch; both (B, dim)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
