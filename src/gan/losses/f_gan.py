"""f-GAN: a game for every f-divergence, by its variational bound.

    D_f(p ‖ q) = ∫ q f(p / q) >= E_p[T] - E_q[f*(T)],     T = g(v),

v is D's raw output, g maps it to the domain of the conjugate f*, and the best T is f'(p / q). Nowozin, Cseke, Tomioka
2016, "f-GAN", table 6. Each class below has three functions of v:

    activation    g(v)
    conjugate     f*(g(v)), simplified so that nothing overflows early
    log_ratio     log(p / q) for the best D: the v with g(v) = f'(p / q), solved for p / q

so that D(x) = p / (p + q) = sigmoid(log_ratio(v)) means the same for every divergence.
"""

import math
from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan.core.batch import Output
from gan.losses.base import Loss, Pair


class FDivergence(Loss):
    """D maximizes the bound E_p[g(v)] - E_q[f*(g(v))]; G minimizes it.

    Args:
        saturating: whether G minimizes the bound itself, -E_q[f*(g(v))]. Otherwise it maximizes E_q[g(v)], as the paper
            does in practice (its section 3.2), which has the same fixed point and stronger gradients early on.
    """

    def __init__(self, saturating: bool = False) -> None:
        super().__init__()
        self.saturating = saturating

    @abstractmethod
    def activation(self, v: Tensor) -> Tensor:
        """g(v), in the domain of f*."""

    @abstractmethod
    def conjugate(self, v: Tensor) -> Tensor:
        """f*(g(v))."""

    @abstractmethod
    def log_ratio(self, v: Tensor) -> Tensor:
        """log(p / q) for the best D."""

    def discriminator(self, pair: Pair) -> Tensor:
        return self.conjugate(pair.fake_output.logits).mean() - self.activation(pair.real_output.logits).mean()

    def generator(self, pair: Pair) -> Tensor:
        fake = pair.fake_output.logits
        return -(self.conjugate(fake) if self.saturating else self.activation(fake)).mean()

    def probability(self, output: Output) -> Tensor:
        return self.log_ratio(output.logits).sigmoid()

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """``D(x)``, ``D(G(z))`` and ``divergence``: the bound, 0 for equal distributions (GAN: -log 4)."""
        return super().report(pair) | {"divergence": -self.discriminator(pair).detach()}


class KullbackLeibler(FDivergence):
    """f(u) = u log u: KL(p_data ‖ p_g). 0 at p_g = p_data, where v = 1."""

    def activation(self, v: Tensor) -> Tensor:
        return v

    def conjugate(self, v: Tensor) -> Tensor:
        return (v - 1).exp()

    def log_ratio(self, v: Tensor) -> Tensor:
        return v - 1


class ReverseKL(FDivergence):
    """f(u) = -log u: KL(p_g ‖ p_data)."""

    def activation(self, v: Tensor) -> Tensor:
        return -(-v).exp()

    def conjugate(self, v: Tensor) -> Tensor:
        return v - 1

    def log_ratio(self, v: Tensor) -> Tensor:
        return v


class Pearson(FDivergence):
    """f(u) = (u - 1)²: Pearson's χ²."""

    def activation(self, v: Tensor) -> Tensor:
        return v

    def conjugate(self, v: Tensor) -> Tensor:
        return v.square() / 4 + v

    def log_ratio(self, v: Tensor) -> Tensor:
        return (1 + v / 2).clamp(min=1e-12).log()  # the best v is above -2; D's may be below


class Neyman(FDivergence):
    """f(u) = (1 - u)² / u: Neyman's χ²."""

    def activation(self, v: Tensor) -> Tensor:
        return 1 - (-v).exp()

    def conjugate(self, v: Tensor) -> Tensor:
        return 2 - 2 * (-v / 2).exp()

    def log_ratio(self, v: Tensor) -> Tensor:
        return v / 2


class SquaredHellinger(FDivergence):
    """f(u) = (√u - 1)²."""

    def activation(self, v: Tensor) -> Tensor:
        return 1 - (-v).exp()

    def conjugate(self, v: Tensor) -> Tensor:
        return v.exp() - 1

    def log_ratio(self, v: Tensor) -> Tensor:
        return 2 * v


class Jeffrey(FDivergence):
    """f(u) = (u - 1) log u: KL in both directions. f*(t) = w + 1/w + t - 2 with w + log w = 1 - t."""

    def activation(self, v: Tensor) -> Tensor:
        return v

    def conjugate(self, v: Tensor) -> Tensor:
        w = omega(1 - v)
        return w + 1 / w + v - 2

    def log_ratio(self, v: Tensor) -> Tensor:
        return -omega(1 - v).log()


class JensenShannon(FDivergence):
    """f(u) = u log u - (u + 1) log((u + 1) / 2): twice the Jensen-Shannon divergence, as in the paper's table."""

    def activation(self, v: Tensor) -> Tensor:
        return math.log(2) - softplus(-v)

    def conjugate(self, v: Tensor) -> Tensor:
        return softplus(v) - math.log(2)

    def log_ratio(self, v: Tensor) -> Tensor:
        return v


class OriginalGAN(FDivergence):
    """f(u) = u log u - (u + 1) log(u + 1): the minimax game of 2014, 2 JSD - log 4."""

    def activation(self, v: Tensor) -> Tensor:
        return -softplus(-v)

    def conjugate(self, v: Tensor) -> Tensor:
        return softplus(v)

    def log_ratio(self, v: Tensor) -> Tensor:
        return v


class _Omega(torch.autograd.Function):
    """Wright's omega function, with derivatives of every order: ω' = ω / (1 + ω)."""

    @staticmethod
    def forward(ctx, y: Tensor) -> Tensor:
        # Newton's method on w + log w = y, in log w below 1 and in w above, from a start that it cannot leave.
        log_w = torch.where(y < 1, y - 1, y.clamp(min=1).log())
        for _ in range(8):
            w = log_w.exp()
            log_w = log_w - (w + log_w - y) / (1 + w)
        w = log_w.exp()
        ctx.save_for_backward(w)
        return w

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (w,) = ctx.saved_tensors
        return gradient * w / (1 + w)


def omega(y: Tensor) -> Tensor:
    """The w > 0 with w + log w = y, of the same shape: Lambert's W(eʸ) without computing eʸ."""
    return _Omega.apply(y)
