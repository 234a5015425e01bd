"""The paper's Figure 1: densities, discriminator and mapping of a one-dimensional GAN."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan.core.checks import check_integer
from gan.figures.base import Figure
from gan.figures.drawing import new_plot, plot_to_image, save_animation, save_frames, save_plot
from gan.figures.progress import thinned
from gan.figures.snapshot1d import Snapshot, check_game, snapshot
from gan.metrics.theory import optimal_discriminator
from gan.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

_TAIL = 1e-5  # share of the data beyond each side of the plot


class OneDimension(Figure):
    """The current state: ``one_dimension_GENERATOR.png``; the whole training: ``one_dimension.gif`` and its frames.

    The animation uses the snapshots that ``callbacks=one_dimension`` saved in the run's folder. Without them only the
    current state is drawn.

    Args:
        generator: ``raw`` or ``ema``; None for raw, the generator that D is trained against.
        arrows: number of arrows from z to x; each represents an equal part of the prior's mass.
        frames: largest number of frames of the animation.
        seconds: duration of a frame.
        hold: duration of the last frame in seconds.
    """

    def __init__(
        self,
        generator: str | None = None,
        arrows: int = 20,
        frames: int = 60,
        seconds: float = 0.12,
        hold: float = 2.0,
    ) -> None:
        check_integer("[1, inf)", arrows=arrows, frames=frames)
        self.generator, self.arrows = generator, arrows
        self.frames, self.seconds, self.hold = frames, seconds, hold

    def check(self, run: Run) -> None:
        check_game(run.module, run.data)

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        name = self.generator or "raw"
        now = snapshot(run.module, run.load_data(), run.sampler.generator(name))
        written = [save_plot(draw(now, self.arrows), folder / f"one_dimension_{name}.png")]
        if kept := thinned(sorted(run.folder.glob("*/step=*.npz")), self.frames):
            films = (draw(Snapshot.load(path), self.arrows, f"iteration {step(path):,}") for path in kept)
            frames = [plot_to_image(plot) for plot in films]
            written.append(save_animation(frames, folder / "one_dimension.gif", self.seconds, self.hold))
            written.append(save_frames(frames, folder / "one_dimension", [path.stem for path in kept]))
        return written


def step(path: Path) -> int:
    """The iteration in the name ``step=0000123.npz``."""
    return int(path.stem.partition("=")[2])


def draw(moment: Snapshot, arrows: int = 20, title: str = "") -> "Plot":
    """Densities and D above, the mapping from z to x below, on one x axis, in the paper's colors."""
    plot = new_plot(5.5, 4)
    upper, lower = plot.subplots(2, sharex=True, height_ratios=(4, 1))
    x = moment.x
    upper.plot(x, moment.p_data, "k:", label="$p_{data}$")
    upper.plot(x, moment.p_g, color="green", label="$p_g$")
    upper.plot(x, optimal_discriminator(moment.p_data, moment.p_g), color="0.7", linewidth=1, label="$D^*$")
    if not moment.d.isnan().all():
        upper.plot(x, moment.d, "--", color="blue", label="$D$")
    window = seen(moment)
    upper.set(xlim=window, ylim=(0, 1.05), title=title)
    upper.tick_params(labelbottom=True)
    lower.tick_params(bottom=False, labelbottom=False)  # z has its own scale
    plot.legend(loc="outside upper center", ncols=4, fontsize="small", frameon=False)
    draw_mapping(lower, moment, window, arrows)
    return plot


def seen(moment: Snapshot) -> tuple[float, float]:
    """The plotted range of x: all but the data's tails, independent of G."""
    mass = torch.cumulative_trapezoid(moment.p_data, moment.x)
    inside = moment.x[1:][(mass > _TAIL) & (mass < mass[-1] - _TAIL)]
    return float(inside[0]), float(inside[-1])


def draw_mapping(axes, moment: Snapshot, window: tuple[float, float], arrows: int) -> None:
    """Draws arrows from z on the lower line, spaced by equal mass, to G(z) on the upper line."""
    starts, ends = mapping(moment, arrows)
    reach = float(starts.abs().max()) or 1.0
    middle, half = sum(window) / 2, 0.4 * (window[1] - window[0])
    for start, end in zip((middle + half * starts / reach).tolist(), ends.tolist(), strict=True):
        arrow = {"arrowstyle": "->", "color": "0.3", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=(end, 1), xytext=(start, 0), arrowprops=arrow, annotation_clip=True)
    axes.axhline(0, color="black", linewidth=1)
    axes.axhline(1, color="black", linewidth=1)
    axes.set(ylim=(-0.05, 1.05), yticks=[0, 1], yticklabels=["$z$", "$x$"])
    axes.spines[:].set_visible(False)


def mapping(moment: Snapshot, count: int) -> tuple[Tensor, Tensor]:
    """The medians z of ``count`` parts of equal mass, and G(z) at them, (count,) each."""
    mass = torch.cat([torch.zeros(1), moment.mass.cumsum(0)]).double()  # P(Z <= z)
    wanted = (torch.arange(count, dtype=torch.float64) + 0.5) / count * mass[-1]
    index = torch.searchsorted(mass, wanted).clamp(1, len(mass) - 1)
    share = (wanted - mass[index - 1]) / (mass[index] - mass[index - 1])
    z, g = (torch.lerp(values[index - 1], values[index], share) for values in (moment.z, moment.g))
    return z, g
