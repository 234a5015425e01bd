"""Relativistic losses: D compares real with generated examples, and both players' losses see both."""

from dataclasses import replace

from torch import Tensor

from gan.core.processes import gather_rows
from gan.losses.base import Loss, Pair


class Relativistic(Loss):
    """Any base loss on differences of scores; G minimizes D's loss with real and generated exchanged.

    Paired: each real example i is compared with the generated example i,

        L_D = ½ B(t(x_i) - t(G(z_i)), t(G(z_i)) - t(x_i)),

    where B(r, f) is D's objective in the base loss, for example E softplus(-r) + E softplus(f). With this base
    L_D = E softplus(-(t(x) - t(G(z)))), the loss "RpGAN". Averaged: each example is compared with the mean score of
    the other side, "RaGAN". The mean is over the batches of all processes.

    Scores may be shifted by any constant without a change. Jolicoeur-Martineau 2018, "The relativistic discriminator",
    section 4, and 2020, "On relativistic f-divergences".

    Args:
        base: whose discriminator objective is taken.
        averaged: whether to compare with means; otherwise by pairs.
    """

    def __init__(self, base: Loss, averaged: bool = False) -> None:
        super().__init__()
        if base.needs_energy:
            raise ValueError(f"base: {type(base).__name__} is a loss of energies, which have no relativistic form")
        self.base, self.averaged = base, averaged
        self.needs_lipschitz = base.needs_lipschitz

    def discriminator(self, pair: Pair) -> Tensor:
        return 0.5 * self.base.discriminator(self.compared(pair))

    def generator(self, pair: Pair) -> Tensor:
        return 0.5 * self.base.discriminator(self.compared(pair).swapped())

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """Mean scores, ``rate/ordered``, and ``rate/separated`` of the differences in the base loss."""
        separated = self.base.separated(self.compared(pair))
        return super().report(pair) | ({} if separated is None else {"rate/separated": separated})

    def compared(self, pair: Pair) -> Pair:
        """The pair with differences of scores in place of scores."""
        real, fake = pair.real_output.logits, pair.fake_output.logits
        to_real, to_fake = (gather_rows(real).mean(), gather_rows(fake).mean()) if self.averaged else (real, fake)
        differences = Pair(pair.discriminator, pair.real, pair.fake, pair.random)
        differences.real_output = replace(pair.real_output, logits=real - to_fake)
        differences.fake_output = replace(pair.fake_output, logits=fake - to_real)
        return differences
