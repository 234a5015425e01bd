"""The one-dimensional theory of Goodfellow et al. 2014, section 4, on a grid.

Densities are float64 (P,) on the points x of a grid that covers both of them; integrals are trapezoids.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

EQUILIBRIUM = -math.log(4)  # the value of the game where p_g = p_data (Theorem 1), in nats
_LEAST = torch.finfo(torch.float64).eps


def optimal_discriminator(p_data: Tensor, p_g: Tensor) -> Tensor:
    """D*(x) = p_data(x) / (p_data(x) + p_g(x)) (Proposition 1); ½ where both densities are 0."""
    total = p_data + p_g
    return torch.where(total > 0, p_data / total.where(total > 0, torch.ones_like(total)), 0.5)


def value(d: Tensor, p_data: Tensor, p_g: Tensor, x: Tensor) -> Tensor:
    """V(D) = ∫ p_data log D + p_g log(1 - D) dx in nats (equation 3), a scalar.

    Args:
        d: D(x) in [0, 1], (P,); kept 2e-16 away from 0 and 1, where 1 - D can still be told: a D that is certain
            and wrong loses 36 nats there rather than all.
        p_data, p_g: densities at x.
        x: the grid's points, ascending.
    """
    d = d.clamp(_LEAST, 1 - _LEAST)
    return torch.trapezoid(torch.xlogy(p_data, d) + torch.xlogy(p_g, 1 - d), x)


def jensen_shannon(p: Tensor, q: Tensor, x: Tensor) -> Tensor:
    """JSD(p ‖ q) = ½ KL(p ‖ m) + ½ KL(q ‖ m), m = (p + q) / 2, in nats: 0 to log 2, a scalar.

    With it V(D*) = -log 4 + 2 JSD(p_data ‖ p_g) (equation 6).
    """
    m = (p + q) / 2
    divergences = torch.xlogy(p, p) - torch.xlogy(p, m) + torch.xlogy(q, q) - torch.xlogy(q, m)
    return torch.trapezoid(divergences / 2, x)


def push_forward(values: Tensor, masses: Tensor, edges: Tensor) -> Tensor:
    """The density of G(z), from G at the edges of small cells of z.

    The mass of a cell is spread evenly between G at its two ends, which is exact where G is linear in the
    cell and needs no monotone G: masses that fall on the same x add up. What falls outside the bins is lost.

    Args:
        values: G at the cells' edges, (Z + 1,).
        masses: the prior's mass in each cell, (Z,).
        edges: edges of the bins of x, ascending, (P + 1,).

    Returns:
        The mean density in each bin, (P,), float64.
    """
    values, masses, edges = values.double(), masses.double(), edges.double()
    low = torch.minimum(values[:-1], values[1:])
    width = (values[1:] - values[:-1]).abs().clamp_min(torch.finfo(torch.float64).tiny)
    # A bin's mass is a difference of the distribution function, in rows of at most some ten megabytes.
    cumulative = [
        (((part[:, None] - low) / width).clamp_(0, 1) * masses).sum(1)
        for part in edges.split(max(1, 2_000_000 // len(masses)))
    ]
    return torch.cat(cumulative).diff() / edges.diff()


@dataclass(frozen=True)
class Report:
    """The distance of D from the optimal discriminator, and of V from the equilibrium's value.

    Attributes:
        value: V(D) in nats.
        optimal_value: V(D*), the most that any D reaches against this G.
        from_divergence: -log 4 + 2 JSD, which equals ``optimal_value``.
        mean_gap: mean of |D - D*| under (p_data + p_g) / 2.
        largest_gap: the largest |D - D*| where the middle 98% of that mixture's mass lie.
        mean_d: mean of D under that mixture, ½ for D*.
    """

    value: float
    optimal_value: float
    from_divergence: float
    mean_gap: float
    largest_gap: float
    mean_d: float


def report(d: Tensor, p_data: Tensor, p_g: Tensor, x: Tensor) -> Report:
    """Compares D with D* on the grid; the arguments are those of :func:`value`."""
    best = optimal_discriminator(p_data, p_g)
    mixture, gap = (p_data + p_g) / 2, (d - best).abs()
    below = torch.cumulative_trapezoid(mixture, x)
    below = torch.cat([below.new_zeros(1), below]) / below[-1]
    central = (below >= 0.01) & (below <= 0.99)
    return Report(
        value=float(value(d, p_data, p_g, x)),
        optimal_value=float(value(best, p_data, p_g, x)),
        from_divergence=float(EQUILIBRIUM + 2 * jensen_shannon(p_data, p_g, x)),
        mean_gap=float(torch.trapezoid(gap * mixture, x)),
        largest_gap=float(gap[central].max()),
        mean_d=float(torch.trapezoid(d * mixture, x)),
    )
