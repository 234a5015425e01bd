"""The two players' objectives: logits in, a scalar to be minimized out.

With logit t = D's output before the sigmoid, D = sigmoid(t):

    -log D = softplus(-t)        -log(1 - D) = softplus(t)

so that nothing saturates or overflows where D is near 0 or 1. All means are over the minibatch.
"""

from abc import ABC, abstractmethod

from torch import Tensor
from torch.nn.functional import softplus


class Loss(ABC):
    """One pair of objectives. Logits are float32 of shape (B,)."""

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """What D minimizes, a scalar."""

    @abstractmethod
    def generator(self, fake_logits: Tensor) -> Tensor:
        """What G minimizes, a scalar."""


class Minimax(Loss):
    """The value function itself: min_G max_D V(D, G) = E log D(x) + E log(1 - D(G(z))).

    D minimizes -V; G descends the literal E log(1 - D(G(z))). Goodfellow et al. 2014, equation 1 and
    Algorithm 1. G's gradient is proportional to D(G(z)): it vanishes while D rejects the samples.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        return -softplus(fake_logits).mean()


class NonSaturating(Minimax):
    """D as in the minimax game; G maximizes E log D(G(z)) instead.

    Same fixed point, strong gradients early in learning. Goodfellow et al. 2014, section 3.
    """

    def generator(self, fake_logits: Tensor) -> Tensor:
        return softplus(-fake_logits).mean()
