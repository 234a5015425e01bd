"""D as an energy: an autoencoder's reconstruction error, low for real images. ``Output.logits`` is minus the energy."""

import torch
from torch import Tensor

from gan.core.batch import Output
from gan.core.checks import check_number
from gan.core.processes import gather_rows, mean_over_processes
from gan.losses.base import Loss, Pair


def energy(output: Output) -> Tensor:
    """The reconstruction error (B,), at least 0."""
    return -output.logits


class EnergyBased(Loss):
    """D minimizes E(x) + max(0, margin - E(G(z))); G minimizes E(G(z)) + pull · PT, means over the batch.

    PT, the pulling-away term, is the mean squared cosine between the codes of two different samples. Zhao, Mathieu,
    LeCun 2017, "Energy-based generative adversarial networks", equations 1, 2 and 4.

    Args:
        margin: m, above 0, in the units of the energy.
        pull: the factor of PT, at least 0; above 0 D must give ``features``, the codes (B, F).
    """

    needs_energy = True

    def __init__(self, margin: float, pull: float = 0.1) -> None:
        super().__init__()
        check_number("(0, inf)", margin=margin)
        check_number("[0, inf)", pull=pull)
        self.margin, self.pull = margin, pull

    def discriminator(self, pair: Pair) -> Tensor:
        return energy(pair.real_output).mean() + (self.margin - energy(pair.fake_output)).relu().mean()

    def generator(self, pair: Pair) -> Tensor:
        loss = energy(pair.fake_output).mean()
        return loss + self.pull * pulling_away(gather_rows(pair.fake_output.features)) if self.pull else loss

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """``energy/real``, ``energy/fake``, and ``rate/ordered``."""
        return _energies(pair) | {"rate/ordered": super().report(pair)["rate/ordered"]}


class BoundaryEquilibrium(Loss):
    """D minimizes E(x) - k E(G(z)); G minimizes E(G(z)); k keeps E(G(z)) near ``balance`` · E(x).

    After each step of D, k ← clip(k + rate · (balance · E(x) - E(G(z))), 0, 1); it starts at 0. The curve
    ``convergence`` is E(x) + abs(balance · E(x) - E(G(z))). Berthelot, Schumm, Metz 2017, "BEGAN", section 3.4. Here
    both energies are those of D's step.

    Args:
        balance: γ of the paper, in (0, 1]; small for sharp samples, large for varied ones.
        rate: λ_k, above 0.
    """

    needs_energy = True
    k: Tensor

    def __init__(self, balance: float = 0.5, rate: float = 0.001) -> None:
        super().__init__()
        check_number("(0, 1]", balance=balance)
        check_number("(0, inf)", rate=rate)
        self.balance, self.rate = balance, rate
        self.register_buffer("k", torch.zeros(()))

    def discriminator(self, pair: Pair) -> Tensor:
        return energy(pair.real_output).mean() - self.k * energy(pair.fake_output).mean()

    def generator(self, pair: Pair) -> Tensor:
        return energy(pair.fake_output).mean()

    @torch.no_grad()
    def update_state(self, pair: Pair) -> None:
        self.k.add_(self.rate * mean_over_processes(self.gap(pair))).clamp_(0, 1)

    def gap(self, pair: Pair) -> Tensor:
        """balance · E(x) - E(G(z)), a scalar without gradient."""
        real, fake = energy(pair.real_output).detach(), energy(pair.fake_output).detach()
        return self.balance * real.mean() - fake.mean()

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """``energy/real``, ``energy/fake``, ``convergence`` and ``k``, the factor in use next."""
        logs = _energies(pair)
        return logs | {
            "convergence": logs["energy/real"] + self.gap(pair).abs(),
            "k": self.k.clone(),
        }


def pulling_away(codes: Tensor) -> Tensor:
    """The mean of cos² over all pairs of different rows of codes (B, F), a scalar in [0, 1]; 0 for one row."""
    directions = torch.nn.functional.normalize(codes, dim=1)
    cosines = directions @ directions.T  # (B, B)
    count = len(codes)
    return (cosines.square().sum() - cosines.diagonal().square().sum()) / max(1, count * (count - 1))


def _energies(pair: Pair) -> dict[str, Tensor]:
    outputs = {"energy/real": pair.real_output, "energy/fake": pair.fake_output}
    return {name: energy(output).detach().mean() for name, output in outputs.items()}
