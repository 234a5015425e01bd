"""Inference after the fact: an encoder for a generator that is trained already."""

from collections.abc import Mapping

import torch

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.methods.base import Due, Logs
from gan.methods.encoding import Encoding
from gan.networks.base import Network
from gan.networks.sampling import evaluating
from gan.networks.trained import Trained


class LatentRegressor(Encoding):
    """An encoder learns E(G(z)) = z for a fixed G: the error is E ‖E(G(z)) - z‖² / dim.

    Always guessing the mean has the variance of the prior as its error, 1 for most. It sees samples alone, no real
    image. Goodfellow et al. 2014, section 6: "Learned approximate inference can be performed by training an auxiliary
    network to predict z given x"; the "latent regressor" of Donahue et al. 2017.

    Args:
        **base: see :class:`gan.methods.encoding.Encoding`.

    Raises:
        UserError: the generator is not one that starts from another run.
    """

    player_names = ("encoder",)

    def __init__(self, **base) -> None:
        super().__init__(**base)
        if not isinstance(self.generator, Trained):
            raise UserError("method=latent_regressor needs the generator of another run; take conditioning=trained.")

    @property
    def trained_networks(self) -> dict[str, tuple[Network, ...]]:
        return {"encoder": (self.encoder,)}

    def train_on_batch(self, batch: Batch) -> Logs:
        return self.take_steps(batch, self.regression_step, "encoder")

    def regression_step(self, batch: Batch, due: Mapping[str, Due]) -> Logs:
        """The gradient of the error on as many samples as the batch has images."""
        with torch.no_grad(), evaluating(self.generator):
            z, labels = self.latent(self.random_rows, batch.labels)
            images = self.generator(z, labels).float()
        error = (self.encoder(images).float() - z).square().mean()
        return self.compute_gradient("encoder", {"": error})
