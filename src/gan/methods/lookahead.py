"""Which discriminator G is trained against: the current one, or the one that its next steps will make of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import starmap

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gan.core.batch import Batch, Output
from gan.core.checks import check_integer, check_number
from gan.core.processes import gather_rows, together
from gan.losses.base import DiscriminatorFn, Pair, Term


class Lookahead(ABC):
    """Chooses the discriminator of G's step."""

    @abstractmethod
    def __call__(self, pair: Pair, terms: Mapping[str, Term]) -> DiscriminatorFn:
        """The discriminator of G's step.

        Args:
            pair: the real and the generated batch, and the current D.
            terms: the objectives, by name.
        """


class Moved:
    """A network with other weights, without changing it or its buffers, such as running statistics.

    Args:
        network: the discriminator.
        weights: values of all its parameters, by name.
    """

    def __init__(self, network: nn.Module, weights: dict[str, Tensor]) -> None:
        self.network, self.weights, self.pack = network, weights, getattr(network, "pack", 1)
        self.buffers = {name: value.clone() for name, value in network.named_buffers()}

    def __call__(self, batch: Batch) -> Output:
        return functional_call(self.network, (self.weights, self.buffers), (batch,))


class Unrolled(Lookahead):
    """G minimizes its loss against D after k further steps of D, and its gradient flows through these steps.

    The steps are plain gradient descent, w ← w - rate · ∇L_D(w), on D's whole objective and the batch of G's step; the
    paper has Adam. Clipping and constraints of D are not part of them, and penalties see the samples as constants.
    Afterwards D has its former weights. With several processes each step takes the mean gradient of all. Metz, Poole,
    Pfau, Sohl-Dickstein 2017, "Unrolled generative adversarial networks", equations 7 to 10.

    Args:
        steps: k, at least 0; 0 for the current D.
        rate: of the descent, at least 0.
    """

    def __init__(self, steps: int, rate: float) -> None:
        check_integer("[0, inf)", steps=steps)
        check_number("[0, inf)", rate=rate)
        self.steps, self.rate = steps, rate

    def __call__(self, pair: Pair, terms: Mapping[str, Term]) -> DiscriminatorFn:
        network: nn.Module = pair.discriminator  # type: ignore[assignment]
        moved = Moved(network, {name: w.detach().requires_grad_(True) for name, w in network.named_parameters()})
        for _ in range(self.steps):
            inner = Pair(moved, pair.real, pair.fake, pair.random)
            parts = [part for term in terms.values() if (part := term.discriminator(inner)) is not None]
            weights = list(moved.weights.values())
            slopes = torch.autograd.grad(
                torch.stack(parts).sum(), weights, create_graph=True, allow_unused=True, materialize_grads=True
            )
            changed = starmap(lambda w, slope: w - self.rate * slope, zip(weights, mean_of(slopes), strict=True))
            moved.weights = dict(zip(moved.weights, changed, strict=True))
        return moved


def mean_of(slopes: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The mean over processes of tensors of any shapes, with gradient, in one exchange."""
    if not together():
        return slopes
    flat = gather_rows(torch.cat([slope.flatten() for slope in slopes])[None]).mean(0)
    parts = flat.split([slope.numel() for slope in slopes])
    return tuple(part.view_as(slope) for part, slope in zip(parts, slopes, strict=True))
