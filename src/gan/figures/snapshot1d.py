"""One-dimensional GANs on grids: densities, D and G (the paper's Figure 1)."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gan.core.errors import UserError
from gan.core.files import naming
from gan.data.base import Source
from gan.methods.gan import GAN
from gan.metrics.theory import push_forward
from gan.networks.sampling import sample

_REACH = 6.5  # standard deviations of the data on each side: all but 1e-10 of its mass


@dataclass(frozen=True)
class Snapshot:
    """Densities, D and G of a one-dimensional GAN at one iteration, float64.

    Attributes:
        x: points that cover the distributions of the data and of G, ascending, (P,).
        p_data, p_g: the two densities at x, (P,).
        d: D(x), (P,).
        z: points that cover the prior, ascending, (Z,).
        g: G(z), (Z,).
        mass: the prior's mass between neighboring z, (Z - 1,).
    """

    x: Tensor
    p_data: Tensor
    p_g: Tensor
    d: Tensor
    z: Tensor
    g: Tensor
    mass: Tensor

    def save(self, path: Path) -> Path:
        """Writes the arrays as ``.npz``, float32."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with naming(path):
            np.savez_compressed(path, **{f.name: getattr(self, f.name).float().numpy() for f in fields(self)})
        return path

    @classmethod
    def load(cls, path: Path) -> "Snapshot":
        """Loads a file of :meth:`save`; raises UserError for any other file."""
        try:
            with np.load(path) as arrays:
                return cls(**{f.name: torch.from_numpy(arrays[f.name]).double() for f in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise UserError(f"{path} is not readable as a snapshot; move it away to do without it.") from error


def snapshot(game: GAN, data: Source, generator: nn.Module, points: int = 2000) -> Snapshot:
    """The current state, computed without random numbers.

    Args:
        game: the GAN, for its D and its prior.
        data: a data set with ``density``, ``mean`` and ``deviation``.
        generator: a generator of the GAN.
        points: number of points on the x axis; the z axis has twice as many.

    Raises:
        UserError: the GAN is not one-dimensional, or its densities are not known.
    """
    check_game(game, data)
    try:
        z, mass = game.latent.cells(2 * points)
    except ValueError as error:
        raise UserError(f"{error}.") from error
    device = next(generator.parameters()).device
    g = sample(generator, z.float()[:, None].to(device)).flatten().cpu().double()  # (Z,)
    low, high = data.mean - _REACH * data.deviation, data.mean + _REACH * data.deviation
    # The outermost edges are slightly outside G's values, so that no mass is lost.
    edges = torch.linspace(
        min(low, float(g.min()) - 1e-3), max(high, float(g.max()) + 1e-3), points + 1, dtype=torch.float64
    )
    x = (edges[1:] + edges[:-1]) / 2
    d = probability(game, x.float().to(device))
    return Snapshot(x, data.density(x), push_forward(g, mass, edges), d, z, g, mass)


def check_game(game: GAN, data: Source) -> None:
    """Raises UserError unless data and latent are one-dimensional and the density is known."""
    if not hasattr(data, "density") or game.latent.dim != 1:
        raise UserError("a 1-D snapshot needs data=gaussian and latent.dim=1 (experiment=figure1 has both).")


@torch.no_grad()
def probability(game: GAN, x: Tensor) -> Tensor:
    """D(x) for x (N,), float64 on the CPU, in evaluation mode: no dropout, running batch statistics.

    NaN without a D, if the loss has no probability, or D compares the examples of a batch.
    """
    nothing = torch.full((len(x),), torch.nan, dtype=torch.float64)
    if (discriminator := getattr(game, "discriminator", None)) is None:
        return nothing
    was_training = discriminator.training
    discriminator.eval()
    try:
        found = game.probability(x.view(-1, 1, 1, 1))
    finally:
        discriminator.train(was_training)
    return nothing if found is None else found.cpu().double()
