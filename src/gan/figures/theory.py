"""Numbers of a one-dimensional GAN compared with the values proved in the paper."""

import json
import logging
from dataclasses import asdict
from pathlib import Path

from gan.core.errors import UserError
from gan.figures.base import Figure
from gan.figures.snapshot1d import check_game, snapshot
from gan.metrics.theory import EQUILIBRIUM, Report, report
from gan.runs.run import Run

log = logging.getLogger(__name__)


class Theory(Figure):
    """V(D) and D compared with V(D*) and D* for the same G: lines on the terminal and ``theory_GENERATOR.json``.

    This is not an image, but it is computed from a run like other figures. It is not a metric, because metrics use
    samples only, and this needs the densities and D.

    Args:
        generator: ``raw`` or ``ema``; None for raw, the generator that D is trained against.
    """

    def __init__(self, generator: str | None = None) -> None:
        self.generator = generator

    def check(self, run: Run) -> None:
        check_game(run.module, run.data)
        discriminator = getattr(run.module, "discriminator", None)
        if discriminator is None:
            raise UserError("figures=theory compares D with D*; this method has no D.")
        if discriminator.mixes_batch:
            raise UserError(
                "figures=theory: this D compares the examples of a batch, so there is no D(x) to compare with D*."
            )

    def __call__(self, run: Run, folder: Path) -> list[Path]:
        self.check(run)
        name = self.generator or "raw"
        now = snapshot(run.module, run.load_data(), run.sampler.generator(name))
        found = report(now.d, now.p_data, now.p_g, now.x)
        for line in lines(found):
            log.info("  %s", line)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"theory_{name}.json"
        record = {"generator": name, "iteration": run.module.iteration, **asdict(found), "equilibrium": EQUILIBRIUM}
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        return [path]


def lines(found: Report) -> list[str]:
    """The lines for the terminal."""
    return [
        f"V(D)                {found.value:8.4f}   at the equilibrium -log 4 = {EQUILIBRIUM:.4f}",
        f"V(D*)               {found.optimal_value:8.4f}   = -log 4 + 2 JSD = {found.from_divergence:.4f}",
        f"|D - D*|            {found.mean_gap:8.4f}   mean under (p_data + p_g) / 2",
        f"                    {found.largest_gap:8.4f}   largest where the middle 98% of it lie",
        f"D                   {found.mean_d:8.4f}   mean under it; 0.5 for D*",
    ]
