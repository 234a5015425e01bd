"""The loop of a search: asks the study for settings, launches their jobs and tells it the results."""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus

from gan.core.errors import one_line
from gan.search.space import Space, Value
from gan.search.study import PRUNED, build, reopen

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

log = logging.getLogger(__name__)

#: runs one job for each list of overrides, the first with the given number
Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]

#: attributes of a trial: the objectives of its seeds so far, the reason of a failure
RESULTS, ERROR = "results", "error"
#: attribute of a study whose sampler has tried every setting
EXHAUSTED = "exhausted"


@dataclass
class Search:
    """A search that can be killed at any moment and started again.

    The study on the disk is its only state. A trial that was running continues under its number, in its folder.

    Attributes:
        study: the study.
        space: the search space.
        sampler: configuration of the sampler. It is built anew for each trial, with the trial's number added to its
            seed: a restarted search asks for the settings that an uninterrupted one would have asked for.
        num_trials: number of trials, those before a restart included.
        num_jobs: jobs at a time.
        seeds: seeds of each trial, one job each; None for the configuration's seed.
        launch: runs the jobs.
        first: values of the first trial by key; the sampler chooses those that are missing, or all.
    """

    study: Study
    space: Space
    sampler: Mapping[str, Any]
    num_trials: int
    num_jobs: int
    seeds: list[int] | None
    launch: Launch
    first: Mapping[str, Value] = field(default_factory=dict)

    def run(self, folder: Path) -> None:
        """Runs the missing trials, ``num_jobs`` at a time."""
        running = [reopen(self.study, trial) for trial in self.trials() if not trial.state.is_finished()]
        finished = len(self.trials()) - len(running)
        log.info("search in %s: %d of %d trials are finished", folder, finished, self.num_trials)
        if running:
            log.info("interrupted and continued: %s", ", ".join(str(trial.number) for trial in running))
        running = [trial for trial in running if not self.settle(trial)]
        while running := self.fill(running):
            batch = running[: self.num_jobs]
            for trial, result in zip(batch, self.launched(batch), strict=True):
                self.record(trial, result)
            running = [trial for trial in running if not self.settle(trial)]

    def trials(self) -> list[FrozenTrial]:
        """All trials that have started."""
        from optuna.trial import TrialState

        return [trial for trial in self.study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]

    def fill(self, running: list[Trial]) -> list[Trial]:
        """The running trials, with new ones for idle jobs."""
        running = list(running)
        while len(running) < self.num_jobs and len(self.trials()) < self.num_trials:
            if self.study.user_attrs.get(EXHAUSTED):
                break
            self.seed_sampler(len(self.trials()))
            if self.first and not self.trials():
                self.study.enqueue_trial(dict(self.first), skip_if_exists=True)  # there already after a kill
            running.append(self.study.ask())
            self.space.suggest(running[-1])
        return running

    def seed_sampler(self, number: int) -> None:
        """Gives the study the sampler of one trial."""
        seed = self.sampler.get("seed")
        self.study.sampler = build("sampler", self.sampler, **({} if seed is None else {"seed": seed + number}))

    def job(self, trial: Trial) -> list[str]:
        """The overrides of a trial's next job."""
        self.seed_sampler(trial.number)  # for values that a killed search had not asked for
        words = [*self.space.fixed, *self.space.suggest(trial)]
        subfolder = str(trial.number)
        if self.seeds is not None:
            seed = self.seeds[len(self.attributes(trial).get(RESULTS, []))]
            words.append(f"seed={seed}")
            subfolder += f"/seed_{seed}"
        return [*words, f"hydra.sweeper.trial={trial.number}", f"hydra.sweep.subdir={subfolder}"]

    def launched(self, trials: Sequence[Trial]) -> list[JobReturn]:
        """The results of one job of each trial. If the launcher itself fails, each job runs alone to find out which."""
        try:
            return list(self.launch([self.job(trial) for trial in trials], trials[0].number))
        except Exception as error:
            if len(trials) > 1:
                return [result for trial in trials for result in self.launched([trial])]
            return [JobReturn(status=JobStatus.FAILED, _return_value=error)]

    def record(self, trial: Trial, result: JobReturn) -> None:
        """Stores the result of a job in the study."""
        if PRUNED in self.attributes(trial):
            return
        value = result._return_value  # the property return_value raises the job's error and prints all its overrides
        if result.status == JobStatus.FAILED:
            trial.set_user_attr(ERROR, one_line(value) or type(value).__name__)
            return
        values = list(value) if isinstance(value, Sequence) else [value]
        if len(values) != len(self.study.directions) or any(v is None or math.isnan(v) for v in values):
            trial.set_user_attr(ERROR, f"the objective is {value}")
            return
        trial.set_user_attr(RESULTS, [*self.attributes(trial).get(RESULTS, []), values])

    def settle(self, trial: Trial) -> bool:
        """Ends a trial whose results so far allow it; returns whether it has ended."""
        from optuna.trial import TrialState

        attributes = self.attributes(trial)
        results = attributes.get(RESULTS, [])
        if ERROR in attributes:
            self.tell(trial, TrialState.FAIL)
            log.warning("trial %d failed: %s", trial.number, attributes[ERROR])
        elif PRUNED in attributes:
            self.tell(trial, TrialState.PRUNED)
            log.info("trial %d: pruned at %s", trial.number, attributes[PRUNED])
        elif self.prunes_between_seeds(trial, results):
            self.tell(trial, TrialState.PRUNED)
            log.info("trial %d: pruned after %d of %d seeds", trial.number, len(results), len(self.seeds or []))
        elif len(results) == len(self.seeds or [None]):
            values = [statistics.fmean(of_seeds) for of_seeds in zip(*results, strict=True)]
            self.tell(trial, TrialState.COMPLETE, values)
            log.info("trial %d: %s", trial.number, ", ".join(f"{value:.5g}" for value in values))
        else:
            return False
        return True

    def prunes_between_seeds(self, trial: Trial, results: list[list[float]]) -> bool:
        """Whether a trial ends before its remaining seeds; each seed is a step of the trial."""
        if self.seeds is None or len(self.study.directions) > 1 or not results:
            return False
        if len(results) > len(self.trials()[trial.number].intermediate_values):
            trial.report(results[-1][0], step=len(results) - 1)
        return len(results) < len(self.seeds) and trial.should_prune()

    def attributes(self, trial: Trial) -> dict[str, Any]:
        """A trial's attributes, with those that its job has set in another process."""
        return self.trials()[trial.number].user_attrs

    def tell(self, trial: Trial, state: Any, values: list[float] | None = None) -> None:
        """Stores a trial's end; notes whether the sampler has any other setting."""
        try:
            self.study.tell(trial, values, state=state)
        except RuntimeError:  # raised after the trial is stored, by samplers that have tried every setting
            self.study.set_user_attr(EXHAUSTED, True)
