"""Noise priors p_z(z): each has zero mean and, by default, unit variance per coordinate."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor


class Latent(ABC):
    """A distribution over vectors of ``dim`` numbers.

    Args:
        dim: the number of coordinates, at least 1.
    """

    def __init__(self, dim: int) -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        self.dim = dim

    @abstractmethod
    def __call__(self, count: int, device: torch.device | str = "cpu", generator: Generator | None = None) -> Tensor:
        """Draws ``count`` vectors, float32 (count, dim), from ``generator`` or torch's global one."""


class Gaussian(Latent):
    """z ~ N(0, I)."""

    def __call__(self, count, device="cpu", generator=None):
        return torch.randn(count, self.dim, device=device, generator=generator)


class Uniform(Latent):
    """z uniform on [-bound, bound]^dim.

    Args:
        dim: the number of coordinates, at least 1.
        bound: positive; √3, as in the authors' code of 2014, gives unit variance.
    """

    def __init__(self, dim: int, bound: float = math.sqrt(3)) -> None:
        super().__init__(dim)
        if not bound > 0:
            raise ValueError(f"bound must be positive, got {bound}")
        self.bound = bound

    def __call__(self, count, device="cpu", generator=None):
        u = torch.rand(count, self.dim, device=device, generator=generator)
        return u.sub_(0.5).mul_(2 * self.bound)


class Spherical(Latent):
    """z uniform on the sphere of radius √dim: a Gaussian draw, normalized."""

    def __call__(self, count, device="cpu", generator=None):
        z = torch.randn(count, self.dim, device=device, generator=generator)
        return z.mul_(math.sqrt(self.dim) / z.norm(dim=1, keepdim=True).clamp_min(1e-12))
