"""The two adversarial losses of the paper.

With logit t = D's output before the sigmoid, D = sigmoid(t):

    -log D = softplus(-t)        -log(1 - D) = softplus(t)

This form neither saturates nor overflows where D is near 0 or 1. All means are over the batch.
"""

from torch import Tensor
from torch.nn.functional import softplus

from gan.core.batch import Output
from gan.core.checks import check_number
from gan.losses.base import Loss, Pair, beyond


class Minimax(Loss):
    """The minimax loss: min_G max_D V(D, G) = E log D(x) + E log(1 - D(G(z))).

    D minimizes -V; G descends the literal E log(1 - D(G(z))). Goodfellow et al. 2014, equation 1 and
    Algorithm 1. G's gradient is proportional to D(G(z)): it vanishes while D rejects the samples.

    Args:
        smoothing: s, in [0, 1): D's target for real images is 1 - s in place of 1 (one-sided label smoothing, Salimans
            et al. 2016, section 3.4). The best D is then (1 - s) p_data / (p_data + p_g).
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        check_number("[0, 1)", smoothing=smoothing)
        self.smoothing = smoothing

    def discriminator(self, pair: Pair) -> Tensor:
        real = pair.real_output.logits
        loss = softplus(-real).mean() + softplus(pair.fake_output.logits).mean()
        return loss + self.smoothing * real.mean() if self.smoothing else loss

    def generator(self, pair: Pair) -> Tensor:
        return -softplus(pair.fake_output.logits).mean()

    def probability(self, output: Output) -> Tensor:
        return output.logits.sigmoid()

    def separated(self, pair: Pair) -> Tensor:
        """The share of examples with the right class at a probability above .98."""
        return beyond(pair, 4)

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
