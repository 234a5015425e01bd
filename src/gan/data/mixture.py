"""Points in the plane from a mixture of equal normal distributions, which shows whether a generator drops modes."""

import math
from abc import abstractmethod

import torch
from torch import Generator, Tensor

from gan.core.batch import Batch
from gan.core.checks import check_integer, check_number
from gan.core.random import derive
from gan.data.base import Split
from gan.data.endless import Endless


class Mixture(Endless):
    """Endless points from 1/K · Σ_k N(centre_k, deviation² I), as float32 (B, 2, 1, 1).

    Unlike images, the coordinates are not limited to [0, 1]. The splits, for metrics and figures, are points of the
    same distribution that are not used in training. They are the same in every run, and their label is the mode
    that they were drawn from.

    Args:
        centres: centers of the modes, (K, 2).
        deviation: standard deviation of each coordinate, positive.
        examples: points in each of the splits, at least 2.
        **common: see :class:`gan.data.endless.Endless`.
    """

    has_fixed_examples = True  # in addition to the endless ones
    ranked_by = "modes"
    samples_to_score = 2_500  # Srivastava et al. 2017, section 4.1

    def __init__(self, centres: Tensor, deviation: float, examples: int = 10_000, **common) -> None:
        super().__init__(**common)
        check_number("(0, inf)", deviation=deviation)
        if (self.channels, self.image_size) != (2, 1):
            raise ValueError(
                f"a point of the plane has channels=2 and image_size=1, got {self.channels} and {self.image_size}"
            )
        check_integer("[2, inf)", examples=examples)
        self.centres, self.deviation, self.examples = centres, deviation, examples

    @property
    @abstractmethod
    def layout(self) -> str:
        """A short description of the modes and their width, unique for each mixture."""

    def labelled(self, count: int, generator: Generator) -> Split:
        """``count`` random points (count, 2, 1, 1) with the modes that they were drawn from, (count,)."""
        modes = torch.randint(len(self.centres), (count,), generator=generator)
        points = self.centres[modes] + self.deviation * torch.randn(count, 2, generator=generator)
        return Split(points[:, :, None, None], modes)

    def draw(self, count: int, generator: Generator) -> Batch:
        points = self.labelled(count, generator)
        return Batch(images=points.images, labels=points.labels)

    def setup(self, stage: str | None = None) -> None:
        if not self.is_loaded:
            seeds = {name: derive(0, f"mixture {name}") for name in ("train", "valid", "test")}
            draws = {name: Generator().manual_seed(seed) for name, seed in seeds.items()}
            self.splits = {name: self.labelled(self.examples, generator) for name, generator in draws.items()}

    def mean_image(self) -> Tensor:
        return self.centres.mean(0)[:, None, None]

    def describe(self) -> str:
        return f"{type(self).__name__}: endless points, {self.layout}"


class Ring(Mixture):
    """Modes evenly spaced on a circle about 0, the first at (radius, 0).

    Srivastava et al. 2017, "VEEGAN", and Lin et al. 2018, "PacGAN", use eight with radius 1 and deviation .01.

    Args:
        modes: number of modes, at least 1.
        radius: of the circle.
        **common: see :class:`Mixture`.
    """

    def __init__(self, modes: int = 8, radius: float = 1.0, **common) -> None:
        check_integer("[1, inf)", modes=modes)
        check_number("(0, inf)", radius=radius)
        angles = 2 * math.pi * torch.arange(modes, dtype=torch.float64) / modes
        centres = radius * torch.stack([angles.cos(), angles.sin()], 1)
        super().__init__(centres.float(), **common)
        self.radius = radius

    @property
    def layout(self) -> str:
        return f"{len(self.centres)} modes on a circle of radius {self.radius:g}, deviation {self.deviation:g}"


class Grid(Mixture):
    """Modes on a square grid about 0, row by row from the lower left one.

    Srivastava et al. 2017, "VEEGAN", and Lin et al. 2018, "PacGAN", use five by five with spacing 2 and deviation
    .05.

    Args:
        side: modes in a row and in a column, at least 1.
        spacing: distance between neighbors.
        **common: see :class:`Mixture`.
    """

    def __init__(self, side: int = 5, spacing: float = 2.0, **common) -> None:
        check_integer("[1, inf)", side=side)
        check_number("(0, inf)", spacing=spacing)
        line = spacing * (torch.arange(side) - (side - 1) / 2)
        super().__init__(torch.cartesian_prod(line, line).flip(1), **common)
        self.spacing = spacing

    @property
    def layout(self) -> str:
        side = math.isqrt(len(self.centres))
        return f"{side}×{side} modes on a grid of spacing {self.spacing:g}, deviation {self.deviation:g}"
