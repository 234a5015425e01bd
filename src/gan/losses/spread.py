"""A term that keeps the latents of a trained prior apart."""

from typing import Any

from torch import Tensor

from gan.core.checks import check_number
from gan.core.processes import gather_rows
from gan.losses.base import Pair, Term


class Spread(Term):
    """Variance and covariance of the batch's latents, for G's player: their coordinates vary, and independently.

        weight · (1/d Σ_j max(0, target - √(Var z_j + 1e-4)) + covariance_weight · 1/d Σ_{i≠j} Cov(z_i, z_j)²)

    The terms v and c of Bardes, Ponce, LeCun 2022, "VICReg", equations 1 to 4. It has a gradient for a prior that is
    trained (``latent=learned``), and is a constant for any other.

    Args:
        target: standard deviation of each coordinate, above 0.
        covariance_weight: at least 0.
        **term: see :class:`gan.losses.base.Term`.
    """

    def __init__(self, target: float = 1.0, covariance_weight: float = 1.0, **term: Any) -> None:
        super().__init__(**term)
        check_number("(0, inf)", target=target)
        check_number("[0, inf)", covariance_weight=covariance_weight)
        self.target, self.covariance_weight = target, covariance_weight

    def generator(self, pair: Pair) -> Tensor:
        z = gather_rows(pair.fake.z)
        centered = z - z.mean(0)
        covariance = centered.T @ centered / max(len(z) - 1, 1)
        variances = covariance.diagonal()
        short = (self.target - (variances + 1e-4).sqrt()).relu().mean()
        together = (covariance.square().sum() - variances.square().sum()) / z.shape[1]
        return self.weight * (short + self.covariance_weight * together)
