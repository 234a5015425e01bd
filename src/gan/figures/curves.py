"""A run's scalars over epochs; several runs in one plot."""

from collections.abc import Sequence
from pathlib import Path

from gan.core.errors import UserError
from gan.figures.base import Comparison
from gan.figures.drawing import new_plot, save_plot
from gan.runs.folder import RunFolder
from gan.runs.identity import labels
from gan.runs.run import Run

STYLES = ("-", "--", ":", "-.")


class Curves(Comparison):
    """Scalars of TensorBoard's event files against epochs: ``NAME.png``.

    A colour for each run, labelled by what it differs in from the others, and a line style for each scalar.

    Args:
        scalars: their names, such as ``D(x)`` or ``gradient_norm/generator``.
        name: of the file.
        log: a logarithmic y axis.
        epochs: only this many from the start; None for all.
        level: where a grey line is drawn to compare with; None for none.
    """

    def __init__(
        self,
        scalars: Sequence[str],
        name: str = "curves",
        log: bool = False,
        epochs: float | None = None,
        level: float | None = None,
    ) -> None:
        self.scalars = [scalars] if isinstance(scalars, str) else list(scalars)
        if not self.scalars:
            raise ValueError("scalars must name at least one scalar, got []")
        self.name, self.log, self.epochs, self.level = name, log, epochs, level

    def check(self, run: Run) -> None:
        if not run.cfg.get("logger"):
            raise UserError(f"figures.{self.name}: no curves are written in this training; take logger=tensorboard.")

    def compare(self, runs: Sequence[Run], folder: Path) -> list[Path]:
        plot = new_plot(7, 4)
        axes = plot.add_subplot(xlabel="epoch", yscale="log" if self.log else "linear")
        if self.level is not None:
            axes.axhline(self.level, color="0.8", zorder=0)
        folders = [RunFolder(run.folder) for run in runs]
        names = labels([folder.settings for folder in folders]) if len(runs) > 1 else [""]
        for i, (source, label) in enumerate(zip(folders, names, strict=True)):
            for j, (name, points) in enumerate(source.read_scalars(self.scalars).items()):
                shown = [(x, y) for x, y in points if self.epochs is None or x <= self.epochs]
                if not shown:
                    raise UserError(
                        f"figures.{self.name}: {source.path} has no {name} in its first {self.epochs} epochs."
                    )
                # One run: a colour for each scalar. Several: a colour for each run.
                axes.plot(
                    *zip(*shown, strict=True),
                    STYLES[j % len(STYLES)],
                    color=f"C{(i if len(runs) > 1 else j) % 10}",
                    label=f"{name}  {label}".strip(),
                    linewidth=1,
                )
        axes.legend(fontsize="small", frameon=False)
        return [save_plot(plot, folder / f"{self.name}.png")]
