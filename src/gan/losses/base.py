"""Interfaces of losses and terms: pure functions of tensors, independent of networks and data sets."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan.core.batch import Batch, Output
from gan.core.checks import check_integer, check_number
from gan.core.random import RandomRows
from gan.losses.gradients import as_leaves, squared_gradients, squared_norms

DiscriminatorFn = Callable[[Batch], Output]


class Pair:
    """A real and a generated batch, and D's output for each.

    D runs when an output is first accessed. G's loss therefore computes D(x) only if it uses it, as relativistic
    losses do.

    Args:
        discriminator: the D of this step.
        real, fake: the two batches.
        random: random numbers for terms that need them, one row per example.
        joint: whether D runs once on both batches concatenated; only valid if D treats each example independently.
        gradients: whether the joint pass also serves :meth:`squared_gradients`, which saves two passes where the
            gradients at real and at generated examples are both needed; only in float32.
    """

    def __init__(
        self,
        discriminator: DiscriminatorFn,
        real: Batch,
        fake: Batch,
        random: RandomRows | None = None,
        joint: bool = False,
        gradients: bool = False,
    ) -> None:
        self.discriminator, self.real, self.fake = discriminator, real, fake
        self.random = random or RandomRows()
        self._squares: dict[str, Tensor] = {}
        if joint:
            inputs, count = real.zip(fake, lambda a, b: torch.cat([a, b])), len(real)
            both = self.outputs(inputs := as_leaves(inputs) if gradients else inputs)
            self.real_output, self.fake_output = both.map(lambda v: v[:count]), both.map(lambda v: v[count:])
            if gradients:
                squares = squared_norms(both.logits, inputs)
                self._squares = {"real": squares[:count], "fake": squares[count:]}

    @property
    def pack(self) -> int:
        """Number of examples that share a logit."""
        return getattr(self.discriminator, "pack", 1)

    def outputs(self, batch: Batch) -> Output:
        """D's output in float32; losses are computed in float32 under any precision."""
        return self.discriminator(batch).map(lambda value: value.float())

    @cached_property
    def real_output(self) -> Output:
        """D's output for the real batch."""
        return self.outputs(self.real)

    @cached_property
    def fake_output(self) -> Output:
        """D's output for the generated batch."""
        return self.outputs(self.fake)

    def squared_gradients(self, side: str) -> Tensor:
        """‖∇t‖² of D's logit at the ``real`` or at the ``fake`` examples, (B,), differentiable in D's weights."""
        if side in self._squares:
            return self._squares[side]
        return squared_gradients(self.discriminator, getattr(self, side))

    def swapped(self) -> "Pair":
        """The same pair with the real and the generated batch exchanged."""
        pair = Pair(self.discriminator, self.fake, self.real, self.random)
        pair.real_output, pair.fake_output = self.fake_output, self.real_output
        return pair


class Term(nn.Module):
    """A summand of the objectives of D and G, with one method for each.

    Keep state in a buffer that :meth:`update_state` changes in place; buffers are saved in checkpoints.

    Args:
        weight: the factor of the term, at least 0, applied by the subclass; or a schedule: (iteration, iterations of
            the whole run) to the factor.
        every: the term is added in every ``every``-th update of a player, multiplied by ``every``.
    """

    #: whether the term is defined only if D scores each example by itself
    needs_independence: ClassVar[bool] = False
    #: whether it is of the players' weights themselves, which it gets by :meth:`bind`
    reads_weights: ClassVar[bool] = False
    #: ``real`` or ``fake`` if the term uses :meth:`Pair.squared_gradients` there
    needs_gradient_at: ClassVar[str | None] = None
    #: the outputs of D that the term uses beside logits, each with an option that gives D such a head
    needs_outputs: ClassVar[Mapping[str, str]] = {}
    #: whether the term uses the labels with which examples are generated
    needs_labels: bool = False

    def __init__(self, weight: float | Callable[[int, int], float] = 1.0, every: int = 1) -> None:
        super().__init__()
        if not callable(weight):
            check_number("[0, inf)", weight=weight)
        check_integer("[1, inf)", every=every)
        self.every = every
        self.weight_schedule = weight if callable(weight) else None
        if callable(weight):  # on the device, where a captured step reads it
            self.register_buffer("weight", torch.zeros(()), persistent=False)
        else:
            self.weight: Any = weight

    def bind(self, networks: Mapping[str, Sequence[nn.Module]]) -> None:
        """Called once, before a checkpoint is loaded: the networks that each player trains, by its name."""

    def begin_iteration(self, iteration: int, total: int) -> None:
        """Called before the steps on each batch: sets the weight if it has a schedule."""
        if self.weight_schedule is not None:
            self.weight.fill_(self.weight_schedule(iteration, total))

    def discriminator(self, pair: Pair) -> Tensor | None:
        """The scalar that D minimizes; None if the term is not part of D's objective."""
        return None

    def generator(self, pair: Pair) -> Tensor | None:
        """The scalar that G minimizes; None if the term is not part of G's objective."""
        return None

    def update_state(self, pair: Pair) -> None:
        """Updates the term's buffers in place, after D's gradient has been computed."""


class Loss(Term):
    """The adversarial objectives of D and G, and the scalars to log from D's logits."""

    #: whether D must be an energy: :attr:`gan.networks.base.Discriminator.is_energy`
    needs_energy: ClassVar[bool] = False
    #: whether D's loss has no lower bound, unless something else bounds D's slope
    needs_lipschitz: bool = False

    def probability(self, output: Output) -> Tensor | None:
        """D(x), the probability that an example is real, (B,) in [0, 1]; None if the loss has no probability."""
        return None

    def separated(self, pair: Pair) -> Tensor | None:
        """The share of examples, real and generated, for which D's loss is flat; None if it is flat nowhere."""
        return None

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """Scalars for the curves: ``D(x)`` and ``D(G(z))`` of a loss with a probability, else of the scores.

        ``score/real`` and ``score/fake`` are means, ``rate/ordered`` is the share of pairs in which D scores the real
        example above the generated one; equal scores count one half.
        """
        real, fake = self.probability(pair.real_output), self.probability(pair.fake_output)
        if real is None or fake is None:
            scores = [output.logits.detach() for output in (pair.real_output, pair.fake_output)]
            ordered = ((scores[0] > scores[1]).float() + (scores[0] >= scores[1]).float()).mean() / 2
            return {"score/real": scores[0].mean(), "score/fake": scores[1].mean(), "rate/ordered": ordered}
        return {"D(x)": real.detach().mean(), "D(G(z))": fake.detach().mean()}


def beyond(pair: Pair, margin: float) -> Tensor:
    """The share of examples on the right side of 0 by at least ``margin``, the mean of real and generated ones."""
    real, fake = pair.real_output.logits.detach(), pair.fake_output.logits.detach()
    return ((real >= margin).float().mean() + (fake <= -margin).float().mean()) / 2
