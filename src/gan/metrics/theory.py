"""The one-dimensional theory of Goodfellow et al. 2014, section 4, on a grid.

Densities are float64 (P,) at the points x of a grid that covers both of them. Integrals use the trapezoidal rule.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

EQUILIBRIUM = -math.log(4)  # the value V at p_g = p_data (Theorem 1), in nats
_LEAST = torch.finfo(torch.float64).eps


def optimal_discriminator(p_data: Tensor, p_g: Tensor) -> Tensor:
    """D*(x) = p_data(x) / (p_data(x) + p_g(x)) (Proposition 1); ½ where both densities are 0."""
    total = p_data + p_g
    return torch.where(total > 0, p_data / total.where(total > 0, torch.ones_like(total)), 0.5)


def value(d: Tensor, p_data: Tensor, p_g: Tensor, x: Tensor) -> Tensor:
    """V(D) = ∫ p_data log D + p_g log(1 - D) dx in nats (equation 3), a scalar.

    Args:
        d: D(x) in [0, 1], (P,); clamped 2e-16 away from 0 and 1, so that V stays finite: where D is certain and
            wrong, log D or log(1 - D) is -36 nats.
        p_data, p_g: densities at x.
        x: the grid's points, ascending.
    """
    d = d.clamp(_LEAST, 1 - _LEAST)
    return torch.trapezoid(torch.xlogy(p_data, d) + torch.xlogy(p_g, 1 - d), x)


def jensen_shannon(p: Tensor, q: Tensor, x: Tensor) -> Tensor:
    """JSD(p ‖ q) = ½ KL(p ‖ m) + ½ KL(q ‖ m), m = (p + q) / 2, in nats: 0 to log 2, a scalar.

    V(D*) = -log 4 + 2 JSD(p_data ‖ p_g) (equation 6).
    """
    m = (p + q) / 2
    divergences = torch.xlogy(p, p) - torch.xlogy(p, m) + torch.xlogy(q, q) - torch.xlogy(q, m)
    return torch.trapezoid(divergences / 2, x)


def push_forward(values: Tensor, masses: Tensor, edges: Tensor) -> Tensor:
    """The density of G(z), from the values of G at the edges of small cells of z.

    The mass of a cell is spread evenly between the values of G at its two edges. This is exact if G is linear in the
    cell. G need not be monotone: masses at the same x are added. Mass outside the bins is lost.

    Args:
        values: G(z) at the cells' edges, (Z + 1,).
        masses: the prior's mass in each cell, (Z,).
        edges: edges of the bins of x, ascending, (P + 1,).

    Returns:
        The mean density in each bin, (P,), float64.
    """
    values, masses, edges = values.double(), masses.double(), edges.double()
    low = torch.minimum(values[:-1], values[1:])
    width = (values[1:] - values[:-1]).abs().clamp_min(torch.finfo(torch.float64).tiny)
    # A bin's mass is a difference of the distribution function. It is computed in parts of about ten megabytes.
    cumulative = [
        (((part[:, None] - low) / width).clamp_(0, 1) * masses).sum(1)
        for part in edges.split(max(1, 2_000_000 // len(masses)))
    ]
    return torch.cat(cumulative).diff() / edges.diff()


@dataclass(frozen=True)
class Report:
    """The distance of D from the optimal discriminator, and V compared with its optimum.

    Attributes:
        value: V(D) in nats.
        optimal_value: V(D*), the maximum over D for this G.
        from_divergence: -log 4 + 2 JSD, which equals ``optimal_value``.
        mean_gap: mean of |D - D*| under (p_data + p_g) / 2.
        largest_gap: the largest |D - D*| within the middle 98% of that mixture's mass.
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
