"""A decoder with a Gaussian that is fitted to the codes of images, which makes an autoencoder a generator."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from gan.core.checks import check_integer, check_number
from gan.core.processes import mean_over_processes
from gan.networks import base

RIDGE = 1e-5  # of the mean variance, added to each: a coordinate that all codes share has no variance


class GaussianFit(base.GeneratorWrapper):
    """G(z) = decoder(μ + L z) for z from N(0, I), where the codes of images have mean μ and covariance L Lᵀ.

    The moments are running means over about the last 1 / ``rate`` batches, in buffers.

    Args:
        generator: the decoder, codes (B, latent_dim) to images.
        latent_dim: length of a code.
        rate: weight of the latest batch in the running means, in (0, 1]; larger in the first batches.
    """

    batches: Tensor
    first: Tensor
    second: Tensor
    mean: Tensor
    factor: Tensor

    def __init__(self, generator: base.Generator, latent_dim: int, rate: float = 0.01) -> None:
        super().__init__(generator)
        check_integer("[1, inf)", latent_dim=latent_dim)
        check_number("(0, 1]", rate=rate)
        self.rate, self.classes = rate, generator.classes
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("first", torch.zeros(latent_dim))  # E c
        self.register_buffer("second", torch.zeros(latent_dim, latent_dim))  # E c cᵀ
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("factor", torch.eye(latent_dim))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.decode(functional.linear(z, self.factor, self.mean), labels)

    def decode(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (B, C, H, W) of codes (B, latent_dim)."""
        return self.network(codes, labels)

    @torch.no_grad()
    def observe(self, codes: Tensor) -> None:
        """Updates the running moments by the codes (B, latent_dim) of a batch, in place."""
        self.batches.add_(1)
        weight = self.batches.float().reciprocal().clamp_min(self.rate)
        self.first.lerp_(mean_over_processes(codes.mean(0)), weight)
        self.second.lerp_(mean_over_processes(codes.T @ codes / len(codes)), weight)

    @torch.no_grad()
    def fit(self) -> None:
        """Sets μ and L to the running moments; L keeps its value if they are not finite."""
        covariance = self.second - self.first.outer(self.first)
        ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-12)
        covariance.diagonal().add_(ridge)
        factor, info = torch.linalg.cholesky_ex(covariance)
        self.mean.copy_(self.first)
        self.factor.copy_(torch.where(info == 0, factor, self.factor))


class Whitening(nn.Module):
    """The inverse of a fit: codes (B, dim) to the z (B, dim) that ``fit`` maps to the images of these codes.

    Args:
        fit: with whose moments; later changes of them count.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, fit: GaussianFit) -> None:
        super().__init__()
        self.register_buffer("mean", fit.mean)
        self.register_buffer("factor", fit.factor)

    def forward(self, codes: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(self.factor, (codes - self.mean).T, upper=False).T
