"""The two adversarial losses of the paper.

With logit t = D's output before the sigmoid, D = sigmoid(t):

    -log D = softplus(-t)        -log(1 - D) = softplus(t)

This form neither saturates nor overflows where D is near 0 or 1. All means are over the batch.
"""

from torch import Tensor
from torch.nn.functional import softplus

from gan.core.batch import Output
from gan.losses.base import Loss, Pair


class Minimax(Loss):
    """The minimax loss: min_G max_D V(D, G) = E log D(x) + E log(1 - D(G(z))).

    D minimizes -V and G minimizes E log(1 - D(G(z))): Goodfellow et al. 2014, equation 1 and Algorithm 1.
    G's gradient is proportional to D(G(z)), so it vanishes while D rejects the samples.
    """

    def discriminator(self, pair: Pair) -> Tensor:
        return softplus(-pair.real_output.logits).mean() + softplus(pair.fake_output.logits).mean()

    def generator(self, pair: Pair) -> Tensor:
        return -softplus(pair.fake_output.logits).mean()

    def probability(self, output: Output) -> Tensor:
        return output.logits.sigmoid()

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """``D(x)``, ``D(G(z))``, and the shares of real and generated examples that D classifies correctly."""
        real, fake = pair.real_output.logits.detach(), pair.fake_output.logits.detach()
        rates = {
            "rate/true_positive": (real > 0).float().mean(),
            "rate/true_negative": (fake < 0).float().mean(),
        }
        return super().report(pair) | rates


class NonSaturating(Minimax):
    """The minimax loss for D; G maximizes E log D(G(z)) instead.

    It has the same fixed point and stronger gradients early in training. Goodfellow et al. 2014, section 3.
    """

    def generator(self, pair: Pair) -> Tensor:
        return softplus(-pair.fake_output.logits).mean()
