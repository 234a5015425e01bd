"""Interfaces of losses and terms: pure functions of tensors, independent of networks and data sets."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from gan.core.batch import Batch, Output
from gan.core.checks import check_integer, check_number
from gan.core.random import RandomRows

DiscriminatorFn = Callable[[Batch], Output]


class Pair:
    """A real and a generated batch, and what D answers to each.

    D runs when an answer is first asked for: G's loss pays for D(x) only where it uses it, as relativistic losses do.

    Args:
        discriminator: the D of this step.
        real, fake: the two batches.
        random: random numbers for terms that need some, one row for each example.
        joint: whether D runs once on both batches together; only where it treats each example by itself.
    """

    def __init__(
        self,
        discriminator: DiscriminatorFn,
        real: Batch,
        fake: Batch,
        random: RandomRows | None = None,
        joint: bool = False,
    ) -> None:
        self.discriminator, self.real, self.fake = discriminator, real, fake
        self.random = random or RandomRows()
        if joint:
            both, count = self.outputs(real.zip(fake, lambda a, b: torch.cat([a, b]))), len(real)
            self.real_output, self.fake_output = both.map(lambda v: v[:count]), both.map(lambda v: v[count:])

    def outputs(self, batch: Batch) -> Output:
        """D's answer in float32, in which losses are computed under any precision."""
        return self.discriminator(batch).map(lambda value: value.float())

    @cached_property
    def real_output(self) -> Output:
        """D's answer to the real batch."""
        return self.outputs(self.real)

    @cached_property
    def fake_output(self) -> Output:
        """D's answer to the generated batch."""
        return self.outputs(self.fake)

    def swapped(self) -> "Pair":
        """The same pair with real and generated exchanged."""
        pair = Pair(self.discriminator, self.fake, self.real, self.random)
        pair.real_output, pair.fake_output = self.fake_output, self.real_output
        return pair


class Term(nn.Module):
    """A summand of the players' objectives, with one method for each player whose weights it trains.

    State belongs in a buffer, which :meth:`update_state` changes in place: then it is in the checkpoint.

    Args:
        weight: the factor of the term, at least 0, which subclasses apply; or a schedule of it, (iteration, iterations
            of the whole run) to the factor.
        every: the term is part of each ``every``-th update of a player, and counts ``every``-fold there.
    """

    def __init__(self, weight: float | Callable[[int, int], float] = 1.0, every: int = 1) -> None:
        super().__init__()
        if not callable(weight):
            check_number("[0, inf)", weight=weight)
        check_integer("[1, inf)", every=every)
        self.every = every
        self.weight_schedule = weight if callable(weight) else None
        if callable(weight):  # on the device: a recorded step reads it there
            self.register_buffer("weight", torch.zeros(()), persistent=False)
        else:
            self.weight: Any = weight

    def begin_iteration(self, iteration: int, total: int) -> None:
        """Called before the steps on each batch: sets a weight that has a schedule."""
        if self.weight_schedule is not None:
            self.weight.fill_(self.weight_schedule(iteration, total))

    def discriminator(self, pair: Pair) -> Tensor | None:
        """What D minimizes, a scalar; None where the term is no part of D's objective."""
        return None

    def generator(self, pair: Pair) -> Tensor | None:
        """What G minimizes, a scalar; None where the term is no part of G's objective."""
        return None

    def update_state(self, pair: Pair) -> None:
        """Changes the term's buffers in place, after D's gradient."""


class Loss(Term):
    """The adversarial objective of both players, and what may be shown of D's logits."""

    def probability(self, output: Output) -> Tensor | None:
        """D(x), the probability that an example is real, (B,) in [0, 1]; None where the loss has no probability."""
        return None

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """Scalars for the curves: ``D(x)`` and ``D(G(z))`` of a loss with a probability, else of the scores.

        ``score/real`` and ``score/fake`` are means, ``rate/ordered`` is the share of pairs in which D scores the real
        example above the generated one.
        """
        real, fake = self.probability(pair.real_output), self.probability(pair.fake_output)
        if real is None or fake is None:
            scores = [output.logits.detach() for output in (pair.real_output, pair.fake_output)]
            ordered = (scores[0] > scores[1]).float().mean()
            return {"score/real": scores[0].mean(), "score/fake": scores[1].mean(), "rate/ordered": ordered}
        return {"D(x)": real.detach().mean(), "D(G(z))": fake.detach().mean()}
