"""What goes wrong in the game, as functions of what was seen lately.

Goodfellow et al. 2014, sections 3 and 6, name the first three: a D so good that G gets no gradient, a G that runs
ahead of D, and "the Helvetica scenario", a G that maps many z to the same x.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

from gan.core.checks import check_integer, check_number

#: what D's loss is at the equilibrium, where D says ½ of everything
LOG_4 = math.log(4)


@dataclass(frozen=True)
class Observation:
    """The scalars of one check, as plain numbers.

    Attributes:
        iteration: batches trained on so far.
        values: the means since the observation before, under the names of the curves (``D(x)``, ``loss/generator``, …);
            ``gradient_norm/PLAYER`` of each player's latest step and ``weight_norm/PLAYER``, Euclidean; and, at
            some checks, ``variety/samples`` and ``variety/real``, how many different images each set amounts to.
        course: D(G(z)) of each batch since the observation before, in order.
    """

    iteration: int
    values: dict[str, float]
    course: list[float] = field(default_factory=list)


@dataclass
class History:
    """The checks that a diagnosis rests on.

    Attributes:
        early: those of the warm-up, the first of them at the start and of the weights alone: what is usual in
            this run.
        latest: those since then, as many as a symptom asks for.
    """

    early: list[Observation] = field(default_factory=list)
    latest: list[Observation] = field(default_factory=list)


class Symptom(ABC):
    """Something that goes wrong.

    Attributes:
        title: in a few words.
        helps: what usually does.
        needs: scalars without which it is silent: a loss without a probability has no D(x).
        checks: how many of the latest checks it wants to see; it is silent until there are that many.
    """

    title: ClassVar[str]
    helps: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, checks: int) -> None:
        check_integer("[1, inf)", checks=checks)
        self.checks = checks

    def __call__(self, history: History) -> str | None:
        """What is wrong, with its numbers, or None."""
        latest = history.latest[-self.checks :]
        if len(latest) < self.checks or any(name not in o.values for o in latest for name in self.needs):
            return None
        return self.find(latest, history.early)

    @abstractmethod
    def find(self, latest: Sequence[Observation], early: Sequence[Observation]) -> str | None:
        """What is wrong in the ``checks`` latest checks, or None; ``early`` as in :class:`History`."""


class DiscriminatorWon(Symptom):
    """D separates real from generated perfectly at all of the latest checks: G has nothing to learn from.

    With ``loss=minimax`` G's gradient is gone then (section 3 of the paper), with the other loss it points to
    wherever D is least sure, which is seldom nearer to the data (Arjovsky and Bottou 2017).

    Args:
        real: D(x) is above this, in [0, 1].
        fake: D(G(z)) is below this, in [0, 1].
        checks: for so many checks.
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
        return f"{told(latest[-1], 'D(x)', 'D(G(z))', 'loss/generator', 'gradient_norm/generator')} {lasting(latest)}"


class GeneratorAhead(Symptom):
    """D is worse than one that says ½ of everything, at every one of the latest checks.

    D's loss is at least -log D(x) - log(1 - D(G(z))) of its mean outputs (Jensen), whatever penalty comes on top.
    That is log 4 at the equilibrium and where D has learnt nothing, less where D is right, and more where D takes
    samples for real or images for drawn: then G has overtaken it and follows a D that is mistaken.

    Args:
        margin: by how much the bound is above log 4, in nats, positive.
        checks: for so many checks.
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
            f"{told(latest[-1], 'D(x)', 'D(G(z))', 'loss/generator')}, so D's loss is at least {bounds[-1]:.3g} where "
            f"guessing has 1.39, {lasting(latest)}"
        )


class ModeCollapse(Symptom):
    """Samples are hardly varied and do not become more so, or have lost most of the variety that they had.

    The measure is :func:`gan.metrics.vendi.vendi_score`. How varied samples are that have come far enough differs:
    healthy runs on MNIST begin at a twentieth of the real images' variety, and some pass an eighth only after
    1,500 batches. So neither a low share alone nor a slow rise is an alarm.

    Args:
        share: the variety at all of these checks is below this share of the real images', in (0, 1), and …
        growth: … the last is less than this many times the first, above 1.
        fall: or the last two are below this share of the highest one, in (0, 1).
        checks: the checks that are compared; at least two of them must have measured the variety.
    """

    title = "mode collapse"
    helps = "a lower optim.generator.lr, fewer g_steps, a larger k or data.batch_size, penalty=r1"

    def __init__(self, share: float = 0.15, growth: float = 1.25, fall: float = 0.5, checks: int = 30) -> None:
        super().__init__(checks)
        check_number("[0, 1)", share=share, fall=fall)
        check_number("[1, inf)", growth=growth)
        self.share, self.growth, self.fall = share, growth, fall

    def find(self, latest, early) -> str | None:
        measured = [observation for observation in latest if "variety/samples" in observation.values]
        if len(measured) < 2:
            return None
        drawn = [observation.values["variety/samples"] for observation in measured]
        real = measured[-1].values["variety/real"]
        stuck = max(drawn) < self.share * real and drawn[-1] < self.growth * drawn[0]
        fallen = max(drawn[-2:]) < self.fall * max(drawn)
        if not (stuck or fallen):
            return None
        return (
            f"the samples are as varied as {drawn[-1]:.3g} different images, real ones as {real:.3g}; "
            f"since iteration {measured[0].iteration:,} the most was {max(drawn):.3g}"
        )


class Oscillation(Symptom):
    """The players take turns at winning: D(G(z)) swings from one side to the other, again and again.

    Args:
        low, high: a swing leads from below ``low`` to above ``high`` or back, both in [0, 1].
        swings: so many of them, or more.
        checks: within so many checks.
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

    The guard stops a run whose numbers are infinite; this is said before. A level below 1 counts as 1: losses are
    in nats, and a gradient may start from nearly nothing.

    Args:
        factor: against the highest value in the warm-up (for weights: at the start), above 1.
        checks: for so many checks, the same quantity at each.
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
    """-log D(x) - log(1 - D(G(z))) for mean outputs in [0, 1]: no more than D's mean loss."""
    tiny = 1e-12
    return -math.log(max(real, tiny)) - math.log(max(1 - fake, tiny))


def swings(course: Sequence[float], low: float, high: float) -> int:
    """How often a curve goes from below ``low`` to above ``high`` or back; what it does between them is no swing."""
    sides = [value > high for value in course if value < low or value > high]
    return sum(a != b for a, b in pairwise(sides))


def usual(early: Sequence[Observation], name: str) -> float:
    """A quantity's highest level in the warm-up (for weights: at the start), at least 1."""
    levels = [abs(observation.values[name]) for observation in early if name in observation.values]
    if name.startswith("weight_norm/"):
        levels = levels[:1]  # a rate much too high has moved them before the second observation
    return max([1.0, *levels])


def told(observation: Observation, *names: str) -> str:
    """Some of an observation's values, formatted."""
    return ", ".join(f"{name} {observation.values[name]:.3g}" for name in names if name in observation.values)


def lasting(latest: Sequence[Observation]) -> str:
    """Since when it has been so, as far as these checks tell."""
    return f"since iteration {latest[0].iteration - len(latest[0].course):,}"
