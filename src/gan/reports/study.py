"""The study of a search in a sweep's folder: counts of trials, and how important each parameter was (with Optuna)."""

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan.core.errors import UserError, one_line

PATTERNS = ("*.journal", "study.log", "journal.log")


@dataclass
class Study:
    """What a page shows of a search.

    Attributes:
        text: the study's name, its trials and the best one.
        importances: for each objective the share of each parameter, the most important first; they add up to 1.
    """

    text: str
    importances: dict[str, dict[str, float]] = field(default_factory=dict)


def find_study(folder: Path) -> Path | None:
    """Optuna's journal file in the sweep's folder; None if there is none."""
    return next((path for pattern in PATTERNS for path in sorted(folder.glob(pattern)) if path.is_file()), None)


def read_studies(file: Path) -> list[Study]:
    """The studies of a journal file.

    Raises:
        UserError: Optuna is not installed, or cannot read the file.
    """
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError as error:
        raise UserError(f"{file} holds a search; with Optuna installed the page also shows its parameters.") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's remarks on experimental parts
            storage = JournalStorage(JournalFileBackend(str(file)))
            names = optuna.get_all_study_names(storage)
            return [describe(optuna.load_study(study_name=name, storage=storage)) for name in names]
    except Exception as error:  # the file is not this program's: Optuna raises many kinds
        raise UserError(f"{file} cannot be read as Optuna's journal ({one_line(error)}).") from error


def describe(study: Any) -> Study:
    """A study's trials by state, its best trials, and the importances of its parameters."""
    import optuna

    states = Counter(trial.state.name.lower() for trial in study.trials)
    counts = ", ".join(f"{count} {state}" for state, count in states.items()) or "none"
    found = Study(f"{study.study_name}: {sum(states.values())} trials ({counts}).")
    complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    if complete:
        best = ", ".join(f"{t.number} ({', '.join(f'{v:.4g}' for v in t.values)})" for t in study.best_trials[:5])
        found.text += f" Best: trial {best}."
    for place, direction in enumerate(study.directions):
        title = "" if len(study.directions) == 1 else f"objective {place + 1} ({direction.name.lower()})"
        try:
            found.importances[title] = optuna.importance.get_param_importances(study, target=value_at(place))
        except (ValueError, RuntimeError, ImportError) as error:
            found.text += f" No importances: {one_line(error)}."
    return found


def value_at(place: int) -> Callable[[Any], float]:
    """A function that returns a trial's value of the objective at this place."""
    return lambda trial: trial.values[place]
