"""Priors p_z(z) with zero mean and, by default, unit variance per coordinate; paths between two latents."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from gan.core.checks import check_integer, check_number
from gan.core.random import RandomRows, derive
from gan.networks.layers import one_hot


class Latent(ABC):
    """A distribution over vectors of ``dim`` numbers.

    Args:
        dim: the number of coordinates, at least 1.

    Attributes:
        classes: number of classes of its labels; 0 for a prior without labels.
    """

    classes = 0

    def __init__(self, dim: int) -> None:
        check_integer("[1, inf)", dim=dim)
        self.dim = dim

    def __call__(self, random: RandomRows, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One latent for each label.

        Args:
            random: the source of random numbers.
            labels: the requested classes, int64 (B,), -1 for none. A latent with classes draws a class for each -1.

        Returns:
            z, float32 (B, dim), and the labels (B,).
        """
        return self.draw(random, len(labels)), labels

    @abstractmethod
    def draw(self, random: RandomRows, count: int) -> Tensor:
        """``count`` latents, float32 (count, dim)."""

    def cells(self, count: int) -> tuple[Tensor, Tensor]:
        """Divides the z axis of a one-dimensional prior into ``count`` cells.

        Returns:
            The cells' edges, ascending, (count + 1,), and the prior's mass in each, (count,), with sum 1; float64.

        Raises:
            ValueError: the prior has more than one dimension, or no density.
        """
        if self.dim != 1:
            raise ValueError(f"latent.dim={self.dim}: only a prior in one dimension can be cut into cells")
        edges = self.edges(count)
        if edges is None:
            raise ValueError(f"latent {type(self).__name__} has no density on the line; take gaussian or uniform")
        masses = self.distribution_function(edges).diff()
        return edges, masses / masses.sum()

    def edges(self, count: int) -> Tensor | None:
        """``count`` + 1 evenly spaced edges that contain all but 1e-10 of the mass; None without a density."""
        return None

    def distribution_function(self, z: Tensor) -> Tensor:
        """P(Z <= z) of one coordinate."""
        raise NotImplementedError


class Gaussian(Latent):
    """z ~ N(0, deviation² I).

    Args:
        dim: the number of coordinates, at least 1.
        deviation: standard deviation of each, positive.
    """

    def __init__(self, dim: int, deviation: float = 1.0) -> None:
        super().__init__(dim)
        check_number("(0, inf)", deviation=deviation)
        self.deviation = deviation

    def draw(self, random, count):
        z = random.normal(count, self.dim)
        return z if self.deviation == 1 else z.mul_(self.deviation)

    def edges(self, count):
        return torch.linspace(-6.5, 6.5, count + 1, dtype=torch.float64) * self.deviation

    def distribution_function(self, z):
        return torch.special.ndtr(z / self.deviation)


class Uniform(Latent):
    """z uniform on [-bound, bound]^dim.

    Args:
        dim: the number of coordinates, at least 1.
        bound: positive; √3, as in the authors' code of 2014, gives unit variance.
    """

    def __init__(self, dim: int, bound: float = math.sqrt(3)) -> None:
        super().__init__(dim)
        check_number("(0, inf)", bound=bound)
        self.bound = bound

    def draw(self, random, count):
        return random.uniform(count, self.dim).sub_(0.5).mul_(2 * self.bound)

    def edges(self, count):
        return torch.linspace(-self.bound, self.bound, count + 1, dtype=torch.float64)

    def distribution_function(self, z):
        return (z / (2 * self.bound) + 0.5).clamp(0, 1)


class Spherical(Latent):
    """z uniform on the sphere of radius √dim: a normalized Gaussian vector."""

    def draw(self, random, count):
        z = random.normal(count, self.dim)
        return z.mul_(math.sqrt(self.dim) / z.norm(dim=1, keepdim=True).clamp_min(1e-12))


class Truncated(Latent):
    """z ~ N(0, I) with each coordinate within [-bound, bound]: redrawn until it is.

    The variance is below 1: .774 for a bound of 2. Drawn by inversion, in a fixed number of operations.

    Args:
        dim: the number of coordinates, at least 1.
        bound: positive.
    """

    def __init__(self, dim: int, bound: float = 2.0) -> None:
        super().__init__(dim)
        check_number("(0, inf)", bound=bound)
        self.bound = bound

    def draw(self, random, count):
        share = math.erf(self.bound / math.sqrt(2))  # of the mass of N(0, 1)
        u = random.uniform(count, self.dim).sub_(0.5).mul_(2 * share)
        return torch.erfinv(u).mul_(math.sqrt(2)).clamp_(-self.bound, self.bound)

    def edges(self, count):
        return torch.linspace(-self.bound, self.bound, count + 1, dtype=torch.float64)

    def distribution_function(self, z):
        share = math.erf(self.bound / math.sqrt(2))
        return ((torch.special.ndtr(z) - 0.5) / share + 0.5).clamp(0, 1)


class Mixture(Latent):
    """z from one of several Gaussians, each as likely as the others; the same variance in every direction.

    The centers are a function of ``seed``. Their mean is 0, and z has variance 1 on average over its coordinates:
    ``share`` of it between the centers, the rest within each Gaussian.

    Args:
        dim: the number of coordinates, at least 1.
        components: number of Gaussians, at least 2.
        share: in (0, 1); the larger, the farther the Gaussians are apart.
        seed: of the centers.
    """

    def __init__(self, dim: int, components: int = 10, share: float = 0.9, seed: int = 0) -> None:
        super().__init__(dim)
        check_integer("[2, inf)", components=components)
        check_number("(0, 1)", share=share)
        check_integer(seed=seed)
        self.components, self.share, self.seed = components, share, seed
        centers = RandomRows(generator=torch.Generator().manual_seed(derive(seed, "centers"))).normal(components, dim)
        centers -= centers.mean(0)
        self.centers = centers * math.sqrt(share) / centers.square().mean().sqrt()
        self._there: dict[torch.device, Tensor] = {}  # a copy for each device: a captured step must not copy

    def draw(self, random, count):
        chosen = one_hot(random.integers(self.components, count), self.components)
        centers = self._there.setdefault(chosen.device, self.centers.to(chosen.device))
        return chosen @ centers + math.sqrt(1 - self.share) * random.normal(count, self.dim)


# Paths between two latents


def lerp(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """The straight line from start to end: the paper's Figure 3, "linearly interpolating between coordinates in z".

    Halfway between two independent Gaussian vectors the norm is √½ of theirs. For a large ``dim`` G was never trained
    on latents of such a norm. Uniform vectors stay inside their cube.

    Args:
        start, end: (N, dim).
        t: positions along the path, 0 for start and 1 for end, (T,).

    Returns:
        (N, T, dim); exactly start and end, to the bit, at t = 0 and t = 1.
    """
    return torch.lerp(start[:, None], end[:, None], t[None, :, None])


def slerp(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """The great circle from start to end (Shoemake 1985; for GANs White 2016); arguments as for :func:`lerp`.

    Between vectors of the same norm the norm stays constant. Between nearly parallel or opposite vectors, or from 0,
    the circle is not determined; the straight line is used instead.
    """
    norms = [v.norm(dim=1, keepdim=True) for v in (start, end)]
    a, b = (v / norm.clamp_min(1e-12) for v, norm in zip((start, end), norms, strict=True))
    angle = 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))  # exact for small angles too, unlike acos
    angle, t_ = angle[:, None, None], t[None, :, None]  # (N, 1, 1), (1, T, 1)
    sine = angle.sin()
    arc = ((1 - t_) * angle).sin() / sine * start[:, None] + (t_ * angle).sin() / sine * end[:, None]
    has_circle = (sine > 1e-4) & (norms[0] * norms[1] > 0)[:, None]
    return torch.where(has_circle, arc, lerp(start, end, t))
