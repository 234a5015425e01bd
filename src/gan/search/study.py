"""The study of a search: a journal file in the sweep's folder, which ``optuna-dashboard`` opens too."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate

from gan.core.errors import UserError, one_line
from gan.runs.launch import is_sweeping

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

#: scalars of the callback scores
SCORE = re.compile(r"valid/\w+/\w+")
Direction = Literal["minimize", "maximize"]
JOURNAL = "study.journal"
NAME = "search"
#: attribute of the study: the overrides, parameters, seeds and directions of its experiment
EXPERIMENT = "experiment"
#: attribute of a trial: where its run was pruned
PRUNED = "pruned"


def open_study(folder: Path, directions: Sequence[Direction], experiment: Sequence[str]) -> Study:
    """The study in a sweep's folder, a new one if there is none.

    Args:
        folder: the sweep's folder.
        directions: ``minimize`` or ``maximize`` for each objective.
        experiment: what all its trials have in common, a text for each part.

    Raises:
        UserError: the folder has runs of another sweep, or the study of another experiment.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not (folder / JOURNAL).exists() and list(folder.glob("*/.hydra")):
        raise UserError(f"hydra.sweep.dir={folder} holds a sweep that is no search; choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=NAME, storage=_storage(folder), directions=list(directions), load_if_exists=True
    )
    before = study.user_attrs.get(EXPERIMENT)
    if before is None:
        study.set_user_attr(EXPERIMENT, list(experiment))
    elif before != list(experiment):
        old, new = sorted(set(before) - set(experiment)), sorted(set(experiment) - set(before))
        raise UserError(
            f"hydra.sweep.dir={folder} holds another search: {', '.join(old) or 'nothing'} there, "
            f"{', '.join(new) or 'nothing'} here; choose another folder."
        )
    return study


@contextmanager
def one_search(folder: Path) -> Iterator[None]:
    """Holds the sweep's folder; the operating system releases it when this process dies.

    Trials that are still marked as running were thus left by a search that was killed.

    Raises:
        UserError: another process searches in this folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".search.lock", timeout=0):
            yield
    except Timeout as error:
        raise UserError(
            f"hydra.sweep.dir={folder}: another process searches here. One search runs several jobs at a time with "
            "hydra.sweeper.n_jobs and a launcher, such as hydra/launcher=joblib."
        ) from error


def trial_of_job() -> Trial | None:
    """The trial to which this run reports its scores; None if it is no job of a search.

    Also None for several seeds, between which a trial is pruned, and for several objectives, where Optuna does not
    prune.
    """
    settings = HydraConfig.get().sweeper if is_sweeping() else {}
    if settings.get("trial") is None or settings.get("seeds") or not isinstance(settings.get("direction"), str):
        return None
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(
        study_name=NAME,
        storage=_storage(Path(HydraConfig.get().sweep.dir)),
        sampler=optuna.samplers.RandomSampler(),  # the parameters are in the study
        pruner=build("pruner", settings.get("pruner")),
    )
    return reopen(study, study.get_trials(deepcopy=False)[settings.get("trial")])


def is_score(objective: object) -> bool:
    """Whether an objective is a score on validation images, by which a run can be pruned."""
    return isinstance(objective, str) and bool(SCORE.fullmatch(objective))


def reopen(study: Study, frozen: FrozenTrial) -> Trial:
    """A trial that another process has asked for."""
    from optuna.trial import Trial

    return Trial(study, frozen._trial_id)  # Optuna has no public way


def build(part: str, config: Mapping[str, Any], **others: Any) -> Any:
    """The sampler or pruner of the sweeper's configuration; raises UserError if it cannot be built."""
    from optuna.exceptions import ExperimentalWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # the user's choice
            return instantiate(config, **others)
    except Exception as error:
        raise UserError(f"hydra.sweeper.{part}: {one_line(error)}.") from error


def _storage(folder: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
