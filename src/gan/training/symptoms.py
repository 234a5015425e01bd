"""Symptoms of training problems, as functions of the latest checks.

Goodfellow et al. 2014, sections 3 and 6, describe the first three: D is so good that G gets no gradient, G is trained
too much relative to D, and "the Helvetica scenario", in which G maps many z to the same x.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

from gan.core.checks import check_integer, check_number

#: D's loss at the equilibrium, where D(x) = ½ everywhere
LOG_4 = math.log(4)


@dataclass(frozen=True)
class Observation:
    """The scalars of one check, as Python numbers.

    Attributes:
        iteration: batches trained on so far.
        values: the means since the previous observation, by the names of the curves (``D(x)``, ``loss/generator``, …);
            the Euclidean norms ``gradient_norm/PLAYER`` of each player's latest step and ``weight_norm/PLAYER``; and at
            some checks ``variety/samples`` and ``variety/real``, the effective number of different images of each set.
        course: D(G(z)) of each batch since the previous observation, in order.
    """

    iteration: int
    values: dict[str, float]
    course: list[float] = field(default_factory=list)


@dataclass
class History:
    """The checks that a diagnosis uses.

    Attributes:
        early: the observations of the warm-up, which define this run's usual levels. The first one is from the
            start and contains only weight norms.
        latest: the latest observations since then, as many as a symptom needs.
    """

    early: list[Observation] = field(default_factory=list)
    latest: list[Observation] = field(default_factory=list)


class Symptom(ABC):
    """A symptom of a training problem.

    Attributes:
        title: a short name.
        helps: changes that usually help.
        needs: required scalars, without which nothing is reported: a loss without a probability has no D(x).
        measurements: number of measurements of the variety that these checks must contain.
        checks: number of latest checks that it uses; nothing is reported before there are that many.
    """

    title: ClassVar[str]
    helps: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    measurements: ClassVar[int] = 0

    def __init__(self, checks: int) -> None:
        check_integer("[1, inf)", checks=checks)
        self.checks = checks

    def __call__(self, history: History) -> str | None:
        """A description of the problem with its numbers, or None."""
        latest = history.latest[-self.checks :]
        if len(latest) < self.checks or any(name not in o.values for o in latest for name in self.needs):
            return None
        return self.find(latest, history.early)

    @abstractmethod
    def find(self, latest: Sequence[Observation], early: Sequence[Observation]) -> str | None:
        """A description of the problem in the ``checks`` latest checks, or None; ``early`` as in :class:`History`."""


class DiscriminatorWon(Symptom):
    """D separates real from generated images almost perfectly at all of the latest checks, so G learns nothing.

    With ``loss=minimax`` G's gradient then vanishes (section 3 of the paper). With the non-saturating loss it points to
    where D is least certain, which is rarely closer to the data (Arjovsky and Bottou 2017).

    Args:
        real: D(x) is above this, in [0, 1].
        fake: D(G(z)) is below this, in [0, 1].
        checks: number of consecutive checks.
    """

    title = "D has won"
    needs = ("D(x)", "D(G(z))")
    helps = "loss=nonsaturating where it is minimax, a lower optim.discriminator.lr, penalty=r1, dropout in D"

    def __init__(self, real: float = 0.98, fake: float = 0.02, checks: int = 3) -> None:
        super().__init__(checks)
        check_number("[0, 1)", real=real, fake=fake)
        self.real, self.fake = real, fake

    def find(self, latest, early) -> str | None:
        if not all(
            observation.values["D(x)"] > self.real and observation.values["D(G(z))"] < self.fake
            for observation in latest
        ):
            return None
        return f"{listed(latest[-1], 'D(x)', 'D(G(z))', 'loss/generator', 'gradient_norm/generator')} {lasting(latest)}"


class GeneratorAhead(Symptom):
    """D is worse than a constant D(x) = ½ at all of the latest checks.

    By Jensen's inequality D's loss without penalties is at least -log D(x) - log(1 - D(G(z))) of its mean outputs. This
    bound is log 4 at the equilibrium and for an untrained D. It is lower if D is right and higher if D classifies
    samples as real or images as generated. Then G is ahead of D and follows wrong gradients.

    Args:
        margin: the bound exceeds log 4 by at least this, in nats, positive.
        checks: number of consecutive checks.
    """

    title = "G is ahead of D"
    needs = ("D(x)", "D(G(z))")
    helps = "a higher optim.discriminator.lr, a lower optim.generator.lr, a larger k, less dropout in D"

    def __init__(self, margin: float = 0.1, checks: int = 3) -> None:
        super().__init__(checks)
        check_number("[0, inf)", margin=margin)
        self.margin = margin

    def find(self, latest, early) -> str | None:
        bounds = [least_loss(observation.values["D(x)"], observation.values["D(G(z))"]) for observation in latest]
        if not all(bound > LOG_4 + self.margin for bound in bounds):
            return None
        return (
            f"{listed(latest[-1], 'D(x)', 'D(G(z))', 'loss/generator')}, so D's cross-entropy is at least "
            f"{bounds[-1]:.3g} where guessing has 1.39, {lasting(latest)}"
        )


class MarginReached(Symptom):
    """D's loss is flat for nearly all examples at all of the latest checks: no gradient is left for D.

    The counterpart of :class:`DiscriminatorWon` for losses without a probability. ``rate/separated`` is the share of
    examples beyond the margin of the hinge loss, or of differences beyond 4 in a relativistic loss. A Wasserstein
    critic has no such level: its gradient does not vanish, however far it is ahead.

    Args:
        share: ``rate/separated`` is above this, in [0, 1).
        checks: number of consecutive checks.
    """

    title = "D has won"
    needs = ("rate/separated",)
    helps = "a lower optim.discriminator.lr, 'penalty=[r1,r2]', spectral normalization or dropout in D"

    def __init__(self, share: float = 0.98, checks: int = 3) -> None:
        super().__init__(checks)
        check_number("[0, 1)", share=share)
        self.share = share

    def find(self, latest, early) -> str | None:
        if not all(observation.values["rate/separated"] > self.share for observation in latest):
            return None
        values = listed(latest[-1], "rate/separated", "loss/discriminator", "gradient_norm/generator")
        return f"{values} {lasting(latest)}"


class OrderReversed(Symptom):
    """D scores samples above real images at all of the latest checks.

    The counterpart of :class:`GeneratorAhead` for critics, energies and relativistic losses. ``rate/ordered`` is the
    share of pairs with t(x) > t(G(z)): ½ at the equilibrium, 0 if D is always wrong. BEGAN does not report it, because
    it holds the energy of samples below that of images.

    Args:
        share: ``rate/ordered`` is below this, in [0, 1).
        checks: number of consecutive checks.
    """

    title = "G is ahead of D"
    needs = ("rate/ordered",)
    helps = "a higher optim.discriminator.lr, a lower optim.generator.lr, a larger k"

    def __init__(self, share: float = 0.3, checks: int = 3) -> None:
        super().__init__(checks)
        check_number("[0, 1)", share=share)
        self.share = share

    def find(self, latest, early) -> str | None:
        if not all(observation.values["rate/ordered"] < self.share for observation in latest):
            return None
        return f"{listed(latest[-1], 'rate/ordered', 'loss/discriminator', 'loss/generator')} {lasting(latest)}"


class ModeCollapse(Symptom):
    """The variety of samples is low and does not grow, or has dropped far below its earlier value.

    The variety is :func:`gan.metrics.vendi.vendi_score`. Its normal value depends on the progress of the training:
    healthy runs on MNIST start at a twentieth of the real images' variety, and some exceed an eighth only after
    1,500 batches. So neither a low share alone nor slow growth alone is reported.

    Where real examples are few different ones, as on a ring of eight modes, a share of their variety can be less than
    1, the lowest score of all. There a score below 1.2 counts as low: all samples but a few are the same.

    Args:
        share: the variety at all of these checks is below this share of the real images', in (0, 1), and …
        growth: … the last one is less than this many times the first, above 1.
        fall: or the last two are below this share of the highest one and of the real images', in (0, 1).
        checks: number of latest checks; at least two of them must have measured the variety.
    """

    title = "mode collapse"
    helps = "a lower optim.generator.lr, fewer g_steps, a larger k or data.batch_size, penalty=r1"
    measurements = 2
    single = 1.2  # the variety of samples that are all the same but a few

    def __init__(self, share: float = 0.15, growth: float = 1.25, fall: float = 0.5, checks: int = 30) -> None:
        super().__init__(checks)
        check_number("[0, 1)", share=share, fall=fall)
        check_number("[1, inf)", growth=growth)
        self.share, self.growth, self.fall = share, growth, fall

    def find(self, latest, early) -> str | None:
        measured = [observation for observation in latest if "variety/samples" in observation.values]
        if len(measured) < self.measurements:
            return None
        drawn = [observation.values["variety/samples"] for observation in measured]
        real = measured[-1].values["variety/real"]
        stuck = max(drawn) < max(self.share * real, self.single) and drawn[-1] < self.growth * drawn[0]
        fallen = max(drawn[-2:]) < self.fall * min(max(drawn), real)  # scattered samples can be more varied than real
        if not (stuck or fallen):
            return None
        return (
            f"the samples are as varied as {drawn[-1]:.3g} different images, real ones as {real:.3g}; "
            f"since iteration {measured[0].iteration:,} the most was {max(drawn):.3g}"
        )


class Oscillation(Symptom):
    """D(G(z)) oscillates between low and high values: neither D nor G stays ahead.

    Args:
        low, high: a swing goes from below ``low`` to above ``high`` or back, both in [0, 1].
        swings: least number of swings.
        checks: number of latest checks in which they are counted.
    """

    title = "the players swing"
    helps = "lower rates, Adam's first beta or SGD's momentum nearer to 0, penalty=r1, optim/schedule=linear"

    def __init__(self, low: float = 0.2, high: float = 0.8, swings: int = 60, checks: int = 20) -> None:
        super().__init__(checks)
        check_number("[0, 1)", low=low, high=high)
        check_integer("[1, inf)", swings=swings)
        if not low < high:
            raise ValueError(f"low must be less than high, got {low} and {high}")
        self.low, self.high, self.swings = low, high, swings

    def find(self, latest, early) -> str | None:
        course = [value for observation in latest for value in observation.course]
        count = swings(course, self.low, self.high)
        if count < self.swings:
            return None
        return (
            f"D(G(z)) went {count} times from below {self.low:g} to above {self.high:g} or back "
            f"in {len(course)} batches"
        )


class BlowUp(Symptom):
    """A loss, a gradient or the weights have grown by orders of magnitude.

    This is reported before the guard stops a run with infinite values. A level below 1 counts as 1, because losses are
    in nats and a gradient may start near 0.

    Args:
        factor: growth relative to the highest value in the warm-up (for weights: at the start), above 1.
        checks: number of consecutive checks, with the same quantity at each.
    """

    title = "blow-up"
    helps = "lower rates (optim.generator.lr, optim.discriminator.lr), optim.gradient_clip=1"
    prefixes = ("loss/", "gradient_norm/", "weight_norm/")

    def __init__(self, factor: float = 100.0, checks: int = 2) -> None:
        super().__init__(checks)
        check_number("[1, inf)", factor=factor)
        self.factor = factor

    def find(self, latest, early) -> str | None:
        for name, value in latest[-1].values.items():
            if name.startswith(self.prefixes):
                level = usual(early, name)
                if all(abs(observation.values.get(name, 0.0)) > self.factor * level for observation in latest):
                    return f"{name} is {value:.3g} where {level:.3g} was usual, {lasting(latest)}"
        return None


def least_loss(real: float, fake: float) -> float:
    """-log D(x) - log(1 - D(G(z))) for mean outputs in [0, 1]: a lower bound of D's mean loss."""
    tiny = 1e-12
    return -math.log(max(real, tiny)) - math.log(max(1 - fake, tiny))


def swings(course: Sequence[float], low: float, high: float) -> int:
    """The number of times that a curve goes from below ``low`` to above ``high`` or back."""
    sides = [value > high for value in course if value < low or value > high]
    return sum(a != b for a, b in pairwise(sides))


def usual(early: Sequence[Observation], name: str) -> float:
    """A quantity's usual level: its highest value in the warm-up (for weights: at the start), at least 1."""
    levels = [abs(observation.values[name]) for observation in early if name in observation.values]
    if name.startswith("weight_norm/"):
        levels = levels[:1]  # a learning rate much too high changes them before the second observation
    return max([1.0, *levels])


def listed(observation: Observation, *names: str) -> str:
    """Some of an observation's values, formatted."""
    return ", ".join(f"{name} {observation.values[name]:.3g}" for name in names if name in observation.values)


def lasting(latest: Sequence[Observation]) -> str:
    """Since which iteration the symptom has been present, according to these checks."""
    first, *others = latest
    batches = others[0].iteration - first.iteration if others else len(first.course)
    return f"since iteration {first.iteration - batches:,}"
