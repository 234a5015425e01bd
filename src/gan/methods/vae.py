"""The variational autoencoder of Kingma and Welling 2014: one player, trained on a bound of the likelihood."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from gan.core.batch import Batch
from gan.core.checks import check_number
from gan.methods.base import Due, Logs, Method
from gan.networks.base import Encoder, Network, expect_shape


class VAE(Method):
    """One player trains encoder and generator (the decoder) on the negative ELBO.

        -ELBO = E_q(z|x) [-log p(x | z)] + β · KL(q(z | x) ‖ N(0, I)),

    in nats per image. q is a diagonal Gaussian, with one sample of z per image. p is a product of Bernoulli
    distributions with the generator's pixels as means (Kingma and Welling 2014, equation 10 and appendix B; β: Higgins
    et al. 2017). Pixels between 0 and 1 are treated as probabilities.

    Args:
        encoder: maps images to mean and log variance of q, (B, 2 · dim).
        beta: weight of the KL divergence, at least 0; 1 gives the ELBO.
        **base: see :class:`gan.methods.base.Method`; the latent must be N(0, I).
    """

    player_names = ("generator",)

    def __init__(self, *, encoder: Encoder, beta: float = 1.0, **base) -> None:
        super().__init__(**base)
        check_number("[0, inf)", beta=beta)
        self.encoder, self.beta = encoder, beta

    @property
    def trained_networks(self) -> dict[str, tuple[Network, ...]]:
        return {"generator": (self.encoder, self.generator)}

    def train_on_batch(self, batch: Batch) -> Logs:
        return self.take_steps(batch, self.elbo_step, "generator")

    def elbo_step(self, batch: Batch, due: Mapping[str, Due]) -> Logs:
        """The gradient of the negative ELBO by the reparametrization z = mean + deviation · ε."""
        mean, log_variance = self.encoder(batch.images).float().chunk(2, dim=1)
        epsilon = self.random_rows.normal(len(batch), mean.shape[1])
        z = mean + (log_variance / 2).exp() * epsilon
        reconstruction = bernoulli_cross_entropy(self.generator(z, batch.labels).float(), batch.images)
        divergence = kl_to_standard_normal(mean, log_variance)
        logs = self.compute_gradient("generator", {"": reconstruction + self.beta * divergence})
        return logs | {"elbo/reconstruction": reconstruction.detach(), "elbo/divergence": divergence.detach()}

    def check(self, batch: Batch) -> list[str]:
        names = super().check(batch)
        with torch.no_grad():
            expect_shape("model.encoder", self.encoder(batch.images), (len(batch), 2 * self.latent.dim))
        return [*names, "elbo/reconstruction", "elbo/divergence"]


def bernoulli_cross_entropy(means: Tensor, images: Tensor) -> Tensor:
    """-log p(x) under independent Bernoulli pixels, summed over pixels, averaged over images; both (B, …) in [0, 1]."""
    with torch.autocast(means.device.type, enabled=False):  # autocast refuses this function on GPUs
        each = binary_cross_entropy(means, images, reduction="none")
    return each.flatten(1).sum(1).mean()


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, I)) in nats, averaged over the batch; both (B, dim)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
