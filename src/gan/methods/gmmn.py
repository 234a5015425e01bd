"""Generative moment matching networks: Li, Swersky, Zemel 2015; Dziugaite, Roy, Ghahramani 2015."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gan.core.batch import Batch
from gan.core.checks import check_number
from gan.core.processes import gather_rows
from gan.methods.base import Due, Logs, Method
from gan.networks.base import Network


class GMMN(Method):
    """G minimizes the maximum mean discrepancy of its samples from the batch's images; there is no D.

    The kernel is a sum of Gaussians, k(x, y) = Σ_σ exp(-‖x - y‖² / (2 σ²)), and the loss √MMD² of the biased estimate,
    which is at least 0 (Li et al., equations 3 and 4 and section 3.3). Batches of all processes are compared together.

    Args:
        widths: σ of each kernel, above 0, in units of the distance of two images with pixels in [0, 1].
        **base: see :class:`gan.methods.base.Method`.
    """

    player_names = ("generator",)

    def __init__(self, *, widths: Sequence[float], **base) -> None:
        super().__init__(**base)
        for width in widths:
            check_number("(0, inf)", widths=width)
        if not widths:
            raise ValueError("widths must hold a number or more")
        self.widths = tuple(widths)

    @property
    def trained_networks(self) -> dict[str, tuple[Network, ...]]:
        return {"generator": (self.generator, *self.trained_latent)}

    def train_on_batch(self, batch: Batch) -> Logs:
        return self.take_steps(batch, self.matching_step, "generator")

    def matching_step(self, batch: Batch, due: Mapping[str, Due]) -> Logs:
        """The gradient of √MMD² between as many samples as images."""
        z, labels = self.latent(self.random_rows, batch.labels)
        samples = gather_rows(self.generator(z, labels).float().flatten(1))
        squared = squared_discrepancy(samples, gather_rows(batch.images.flatten(1)), self.widths)
        return self.compute_gradient("generator", {"": squared.clamp_min(1e-12).sqrt()})


def squared_discrepancy(a: Tensor, b: Tensor, widths: Sequence[float]) -> Tensor:
    """MMD² of rows a (N, F) and b (M, F), the biased estimate, with the sum of Gaussian kernels of these widths."""
    rows = torch.cat([a, b])
    # From differences of centered rows: far from the origin a product would lose the small distances.
    rows = rows - rows.detach().mean(0)
    norms = rows.square().sum(1)
    squares = (norms[:, None] + norms - 2 * rows @ rows.T).clamp_min(0)
    kernels = torch.stack([(squares / (-2 * width**2)).exp() for width in widths]).sum(0)
    n = len(a)
    return kernels[:n, :n].mean() + kernels[n:, n:].mean() - 2 * kernels[:n, n:].mean()
