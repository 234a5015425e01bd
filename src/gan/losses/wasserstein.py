"""The dual form of the Wasserstein-1 distance: D is a critic, whose scores are not probabilities."""

from torch import Tensor

from gan.losses.base import Loss, Pair


class Wasserstein(Loss):
    """The critic maximizes E f(x) - E f(G(z)); G maximizes E f(G(z)).

    If f is 1-Lipschitz, the critic's maximum is the Wasserstein-1 distance between data and samples. The loss itself
    does not constrain f: add ``penalty=gradient_penalty``. Arjovsky, Chintala, Bottou 2017, equation 2.
    """

    needs_lipschitz = True

    def discriminator(self, pair: Pair) -> Tensor:
        return pair.fake_output.logits.mean() - pair.real_output.logits.mean()

    def generator(self, pair: Pair) -> Tensor:
        return -pair.fake_output.logits.mean()

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """Mean scores, ``rate/ordered`` and ``wasserstein``: E f(x) - E f(G(z)), the estimate of the distance."""
        return super().report(pair) | {"wasserstein": -self.discriminator(pair).detach()}
