"""The hinge loss: D's examples stop counting once they are beyond a margin of 1."""

from torch import Tensor

from gan.losses.base import Loss, Pair, beyond


class Hinge(Loss):
    """D minimizes E max(0, 1 - t(x)) + E max(0, 1 + t(G(z))); G minimizes -E t(G(z)).

    G's loss has no hinge. Lim and Ye 2017, "Geometric GAN"; Miyato et al. 2018, equations 16 and 17.
    """

    def discriminator(self, pair: Pair) -> Tensor:
        return (1 - pair.real_output.logits).relu().mean() + (1 + pair.fake_output.logits).relu().mean()

    def generator(self, pair: Pair) -> Tensor:
        return -pair.fake_output.logits.mean()

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """Mean scores, ``rate/ordered``, and ``rate/separated``: the share of examples beyond the margin."""
        return super().report(pair) | {"rate/separated": self.separated(pair)}

    def separated(self, pair: Pair) -> Tensor:
        return beyond(pair, 1)
