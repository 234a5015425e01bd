"""The end of a search: the best setting with its command, and the trials that failed or were pruned."""

from __future__ import annotations

import logging
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from gan.core.errors import UserError
from gan.core.files import write_whole
from gan.search.loop import ERROR
from gan.search.space import Space, as_text

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)

FILE = "search.yaml"


def conclude(study: Study, space: Space, seeds: list[int] | None, folder: Path) -> None:
    """Logs the best setting, its value and its command, and writes them to ``search.yaml``.

    Raises:
        UserError: no trial was completed.
    """
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    complete, pruned, failed = (
        [trial for trial in trials if trial.state == state]
        for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    )
    if pruned:
        log.info("%d of %d trials were pruned: %s", len(pruned), len(trials), _numbers(pruned))
    if failed:
        log.warning("%d of %d trials failed: %s", len(failed), len(trials), _numbers(failed))
    if not complete:
        reason = f"; trial {failed[0].number}: {failed[0].user_attrs.get(ERROR)}" if failed else ""
        raise UserError(f"{folder}: none of {len(trials)} trials was completed{reason}.")
    best = [describe(trial, space, seeds, folder) for trial in study.best_trials]
    for entry in best:
        log.info("best: trial %s of %d, %s", entry["trial"], len(trials), _values(entry["values"]))
        log.info("  %s", " ".join(f"{key}={value}" for key, value in entry["setting"].items()))
        log.info("  folder   %s", entry["folder"])
        log.info("  command  %s", entry["command"])
    report = {
        "best": best,
        "trials": len(trials),
        "complete": len(complete),
        "pruned": [trial.number for trial in pruned],
        "failed": {trial.number: trial.user_attrs.get(ERROR) for trial in failed},
    }
    with write_whole(folder / FILE) as file:
        OmegaConf.save(OmegaConf.create(report), file)
    log.info("  in       %s", folder / FILE)


def describe(trial: FrozenTrial, space: Space, seeds: list[int] | None, folder: Path) -> dict[str, Any]:
    """A trial's values, setting, folder and the command that trains with its setting."""
    chosen = [f"{key}={as_text(value)}" for key, value in trial.params.items()]
    several = ["-m"] if seeds else []
    by_seed = [f"seed={','.join(map(str, seeds))}"] if seeds else []
    return {
        "trial": trial.number,
        "values": list(trial.values),
        "setting": dict(trial.params),
        "folder": str(folder / str(trial.number)),
        "command": shlex.join(["python", Path(sys.argv[0]).name, *several, *space.fixed, *chosen, *by_seed]),
    }


def _numbers(trials: list[FrozenTrial]) -> str:
    return ", ".join(str(trial.number) for trial in trials)


def _values(values: list[float]) -> str:
    return ", ".join(f"{value:.5g}" for value in values)
