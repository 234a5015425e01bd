"""A run's scalars over epochs; several runs in one plot."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from gan.core.errors import UserError, did_you_mean
from gan.figures.base import Comparison, at_least, new_plot, save_plot
from gan.runs.config import flatten
from gan.runs.run import Run

STYLES = ("-", "--", ":", "-.")
#: keys that say where a run lies and not what it is
PLACES = ("output_dir", "ckpt_path")


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
        at_least(1, **{"the number of scalars": len(self.scalars)})
        self.name, self.log, self.epochs, self.level = name, log, epochs, level

    def check(self, run: Run) -> None:
        if not run.cfg.get("logger"):
            raise UserError(f"figures.{self.name}: no curves are written in this training; take logger=tensorboard.")

    def compare(self, runs: Sequence[Run], folder: Path) -> list[Path]:
        plot = new_plot(7, 4)
        axes = plot.add_subplot(xlabel="epoch", yscale="log" if self.log else "linear")
        if self.level is not None:
            axes.axhline(self.level, color="0.8", zorder=0)
        for i, (run, label) in enumerate(zip(runs, labels(runs), strict=True)):
            for j, (name, points) in enumerate(read_scalars(run, self.scalars).items()):
                shown = [(x, y) for x, y in points if self.epochs is None or x <= self.epochs]
                if not shown:
                    raise UserError(
                        f"figures.{self.name}: {run.folder} has no {name} in its first {self.epochs} epochs."
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


def read_scalars(run: Run, names: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """Points (epoch, value) of each scalar in the run's event files.

    A minibatch that was played twice, before and after a resume, counts as it was the second time.

    Raises:
        UserError: the run has no curves, or none of such a name.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not list(run.folder.glob("events.out.tfevents.*")):
        raise UserError(f"{run.folder} has no curves; they are written in a training with logger=tensorboard.")
    events = EventAccumulator(str(run.folder), size_guidance={"scalars": 0}).Reload()
    known = events.Tags()["scalars"]
    for name in (*names, "epoch"):
        if name not in known:
            raise UserError(
                f"{run.folder} has no scalar {name}.{did_you_mean(name, known)} It has: {', '.join(known) or 'none'}."
            )
    epochs = {event.step: event.value for event in events.Scalars("epoch")}
    return {
        name: sorted((epochs[step], value) for step, value in latest(events.Scalars(name)).items() if step in epochs)
        for name in names
    }


def latest(events: Sequence) -> dict[int, float]:
    """Step to value of TensorBoard's scalar events, for a repeated step the one written last."""
    return {event.step: event.value for event in sorted(events, key=lambda event: event.wall_time)}


def labels(runs: Sequence[Run]) -> list[str]:
    """For each run what it was trained with and the others were not: ``loss=adversarial.Minimax seed=2``.

    Of several keys that divide the runs alike (``seed`` and ``data.seed``) the first one speaks, top-level
    keys before choices of a class before the rest.
    """
    flat = [flatten(OmegaConf.to_container(run.cfg, resolve=True)) for run in runs]
    keys = {key: None for config in flat for key in config if key not in PLACES}
    telling: dict[tuple[int, ...], str] = {}
    for key in sorted(keys, key=lambda key: ("." in key, not key.endswith("_target_"), key)):
        values = [str(config.get(key)) for config in flat]
        division = tuple(values.index(value) for value in values)
        if any(division) and not any(str(run.cfg.output_dir) in value for run, value in zip(runs, values, strict=True)):
            telling.setdefault(division, key)
    return [" ".join(f"{_short(key)}={_brief(config.get(key))}" for key in telling.values()) for config in flat]


def _short(key: str) -> str:
    return key.removesuffix("._target_").removesuffix(".generator")


def _brief(value: object) -> str:
    """Of ``gan.losses.adversarial.Minimax`` the last two names."""
    return ".".join(value.split(".")[-2:]) if isinstance(value, str) else str(value)
