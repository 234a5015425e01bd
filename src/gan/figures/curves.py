"""Scalars over epochs, of one run or of several in one plot; seeds of one setting give a mean with a band."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan.core.errors import UserError, did_you_mean
from gan.figures.base import Comparison
from gan.figures.drawing import new_plot, save_plot
from gan.runs.folder import Points, RunFolder, whole
from gan.runs.identity import labels, setting
from gan.runs.run import Run

STYLES = ("-", "--", ":", "-.")


class Curves(Comparison):
    """Scalars of TensorBoard's event files against epochs: ``NAME.png``.

    Runs that differ only in their seed give one curve: their mean, with a band of one standard deviation. Each setting
    has a color and a label with its differences from the others. Each scalar has a line style.

    Args:
        scalars: names of scalars, such as ``D(x)`` or ``gradient_norm/generator``.
        name: name of the file.
        log: whether the y axis is logarithmic.
        epochs: plots only this many epochs from the start; None for all.
        level: y value of a gray horizontal line for comparison; None for no line.
        level_label: label of the line.
    """

    def __init__(
        self,
        scalars: Sequence[str],
        name: str = "curves",
        log: bool = False,
        epochs: float | None = None,
        level: float | None = None,
        level_label: str = "",
    ) -> None:
        self.scalars = [scalars] if isinstance(scalars, str) else list(scalars)
        if not self.scalars:
            raise ValueError("scalars must name at least one scalar, got []")
        self.name, self.log, self.epochs, self.level = name, log, epochs, level
        self.level_label = level_label

    def check(self, run: Run) -> None:
        if not run.cfg.get("logger"):
            raise UserError(f"figures.{self.name}: no curves are written in this training; take logger=tensorboard.")
        if run.scalars == []:
            raise UserError(f"figures.{self.name}: no curves are written in this training; take callbacks=default.")
        for name in self.scalars:
            if run.scalars and name not in run.scalars and not name.startswith("valid/"):
                known = f"{did_you_mean(name, run.scalars)} It has: {', '.join(run.scalars)}."
                raise UserError(f"figures.{self.name}: this training has no scalar {name}.{known}")

    def compare(self, runs: Sequence[Run], folder: Path) -> list[Path]:
        groups = group([RunFolder(run.folder) for run in runs])
        plot = new_plot(7, 4)
        axes = self.axes(plot, sum(map(len, groups.values())))
        for i, (label, members) in enumerate(groups.items()):
            for j, name in enumerate(self.scalars):
                x, y = self.stack([member.read_scalars([name])[name] for member in members], members[0], name)
                # One setting: a color for each scalar. Several: a color for each setting.
                color = f"C{(i if len(groups) > 1 else j) % 10}"
                seeds = f"{len(y)} seeds" if len(y) > 1 else ""
                words = ", ".join(filter(None, [label, seeds]))
                style = {"color": color, "label": f"{name}  {words}".strip(), "linewidth": 1.2}
                axes.plot(x, y.mean(0), STYLES[j % len(STYLES)], **style)
                if len(y) > 1:
                    spread = y.std(0, ddof=1)
                    axes.fill_between(x, y.mean(0) - spread, y.mean(0) + spread, color=color, alpha=0.2, linewidth=0)
        axes.legend(fontsize="small", frameon=False)
        return [save_plot(plot, folder / f"{self.name}.png")]

    def axes(self, plot: Any, num_runs: int) -> Any:
        """Empty axes with title, axis labels and the horizontal line."""
        probability = all(name.startswith("D(") for name in self.scalars)
        axes = plot.add_subplot(
            xlabel="epoch",
            ylabel="probability of being real" if probability else " and ".join(self.scalars),
            title=" and ".join(self.scalars) + (f" of {num_runs} runs" if num_runs > 1 else ""),
            yscale="log" if self.log else "linear",
        )
        if probability and not self.log:
            axes.set_ylim(0, 1)
        if self.level is not None:
            axes.axhline(self.level, color="0.7", linewidth=0.8, zorder=0)
            axes.annotate(self.level_label, (0.01, self.level), xycoords=("axes fraction", "data"), va="bottom", size=8)
        return axes

    def stack(self, curves: Sequence[Points], source: RunFolder, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The epochs that all runs have, (P,), and their values, (runs, P)."""
        shown = [{x: y for x, y in whole(points) if self.epochs is None or x <= self.epochs} for points in curves]
        common = sorted(set.intersection(*map(set, shown)))
        if not common:
            raise UserError(f"figures.{self.name}: {source.path} has no {name} in its first {self.epochs} epochs.")
        return np.array(common), np.array([[curve[x] for x in common] for curve in shown])


def group(folders: Sequence[RunFolder]) -> dict[str, list[RunFolder]]:
    """Groups of runs that differ only in their seed, by a label with their differences from the other groups."""
    if len(folders) == 1:
        return {"": list(folders)}
    groups: dict[tuple, list[RunFolder]] = {}
    for folder in folders:
        groups.setdefault(setting(folder.settings), []).append(folder)
    return dict(zip(labels([dict(key) for key in groups]), groups.values(), strict=True))
