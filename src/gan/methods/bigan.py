"""Bidirectional GAN: Donahue et al. 2017, "Adversarial Feature Learning"; Dumoulin et al. 2017, "ALI"."""

from dataclasses import replace

from torch import Tensor

from gan.core.batch import Batch, Output
from gan.core.errors import UserError
from gan.losses.base import Loss, Pair
from gan.methods.encoding import Encoding
from gan.methods.gan import GAN
from gan.networks.base import Network


class BiGAN(Encoding, GAN):
    """D tells pairs (x, E(x)) from (G(z), z); G and E are one player, with swapped labels.

    With the loss of 2014, t = D's logit:

        L_D  = E softplus(-t(x, E(x))) + E softplus(t(G(z), z)),
        L_GE = E softplus(t(x, E(x))) + E softplus(-t(G(z), z)).

    At the optimum E inverts G (Donahue et al., theorem 2). Penalties are on the gradient with respect to image and z
    together.

    Args:
        loss: of D; G and E minimize it with real and generated pairs exchanged.
        discriminator: of pairs, see ``Discriminator.needs_z``.
        **gan: see :class:`gan.methods.encoding.Encoding` and :class:`gan.methods.gan.GAN`.

    Raises:
        UserError: D scores images alone, or the loss is not one of scores alone.
    """

    def __init__(self, *, loss: Loss, **gan) -> None:
        if loss.needs_energy or loss.needs_outputs:
            raise UserError("method=bigan needs a loss of D's scores alone, which can be exchanged; take another loss.")
        super().__init__(loss=Swapped(loss), **gan)
        if not self.discriminator.needs_z:
            raise UserError("method=bigan needs a discriminator of pairs (image, z); take model=bigan.")

    @property
    def trained_networks(self) -> dict[str, tuple[Network, ...]]:
        networks = super().trained_networks
        return networks | {"generator": (*networks["generator"], self.encoder)}

    def real(self, batch: Batch) -> Batch:
        return replace(batch, z=self.encoder(batch.images).float())


class Swapped(Loss):
    """A loss whose G minimizes D's objective with the two sides exchanged.

    Args:
        base: the loss.
    """

    def __init__(self, base: Loss) -> None:
        super().__init__()
        self.base = base
        self.needs_lipschitz = base.needs_lipschitz

    def begin_iteration(self, iteration: int, total: int) -> None:
        self.base.begin_iteration(iteration, total)

    def discriminator(self, pair: Pair) -> Tensor | None:
        return self.base.discriminator(pair)

    def generator(self, pair: Pair) -> Tensor | None:
        return self.base.discriminator(pair.swapped())

    def update_state(self, pair: Pair) -> None:
        self.base.update_state(pair)

    def probability(self, output: Output) -> Tensor | None:
        return self.base.probability(output)

    def separated(self, pair: Pair) -> Tensor | None:
        return self.base.separated(pair)

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """The scalars of the loss."""
        return self.base.report(pair)
