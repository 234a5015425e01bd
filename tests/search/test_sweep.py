"""The loop of a search with jobs that only compute a number: kills, restarts, failures, seeds, objectives."""

import contextlib
import json
import math
import statistics

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from gan.core.errors import UserError
from gan.search.study import one_search, open_study
from gan.search.summary import FILE
from gan.search.sweep import sweep

optuna = pytest.importorskip("optuna")
from optuna.trial import TrialState  # noqa: E402

SPACE = ["x=interval(-1, 1)", "n=range(1, 4)"]


class Killed(BaseException):
    """SIGKILL, as far as this process can have it."""


class Jobs:
    """A launcher: each job's objective is a function of its overrides.

    Args:
        objective: maps the values of a job by key to what it returns.
        killed_at: the job that a kill meets, in the order of their starts.
    """

    def __init__(self, objective, killed_at=None):
        self.objective, self.killed_at = objective, killed_at
        self.started, self.batches = [], []

    def __call__(self, jobs, first):
        self.batches.append(len(jobs))
        return [self.run(job) for job in jobs]

    def run(self, job):
        values = {o.key_or_group: o.value() for o in OverridesParser.create().parse_overrides(list(job))}
        self.started.append(values)
        if len(self.started) - 1 == self.killed_at:
            raise Killed
        try:
            return JobReturn(status=JobStatus.COMPLETED, _return_value=self.objective(values))
        except ValueError as error:
            return JobReturn(status=JobStatus.FAILED, _return_value=error)


def searched(folder, jobs, *words, objective="valid/frechet_distance/ema", **settings):
    """Runs a search and returns its study."""
    hydra = {"sweep": {"dir": str(folder)}, "launcher": {}}
    config = OmegaConf.create({"objective": objective, "x": 0.25, "n": 2, "hydra": hydra})
    defaults = {
        "n_trials": 10,
        "n_jobs": 1,
        "direction": "minimize",
        "seeds": None,
        "sampler": {"_target_": "optuna.samplers.TPESampler", "seed": 1, "n_startup_trials": 4},
        "pruner": {"_target_": "optuna.pruners.NopPruner"},
        "params": {},
        "default_first": False,
    }
    sweep(config, OmegaConf.create(defaults | settings), jobs, None, [*SPACE, *words])
    return study_in(folder)


def study_in(folder):
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / "study.journal")))
    return optuna.load_study(study_name="search", storage=storage)


def square(values):
    return (values["x"] - 0.3) ** 2 + values["n"]


@pytest.mark.parametrize("num_jobs", [1, 3])
@pytest.mark.parametrize("killed_at", [0, 3, 5])
def test_a_killed_search_equals_an_uninterrupted_one(killed_at, num_jobs, tmp_path):
    whole = searched(tmp_path / "whole", Jobs(square), n_jobs=num_jobs, n_trials=6)
    jobs = Jobs(square, killed_at)
    with pytest.raises(Killed):
        searched(tmp_path / "killed", jobs, n_jobs=num_jobs, n_trials=6)
    assert any(trial.state == TrialState.RUNNING for trial in study_in(tmp_path / "killed").trials)
    continued = searched(tmp_path / "killed", jobs, n_jobs=num_jobs, n_trials=6)
    assert [trial.number for trial in continued.trials] == list(range(6))
    assert [trial.params for trial in continued.trials] == [trial.params for trial in whole.trials]
    assert [trial.values for trial in continued.trials] == [trial.values for trial in whole.trials]
    assert len({str(trial.params) for trial in continued.trials}) == 6  # no point twice
    # Only jobs of the interrupted batch start twice, in their own folders.
    folders = [values["hydra.sweep.subdir"] for values in jobs.started]
    assert set(folders) == set(range(6))
    assert len(folders) - 6 <= num_jobs


def test_a_trial_killed_before_all_its_values_were_asked_for_gets_the_others(tmp_path):
    whole = searched(tmp_path / "whole", Jobs(square), n_trials=3)
    searched(tmp_path / "killed", Jobs(square), n_trials=2)
    study = study_in(tmp_path / "killed")
    study.sampler = optuna.samplers.TPESampler(seed=1 + 2, n_startup_trials=4)
    study.ask().suggest_float("x", -1, 1)
    continued = searched(tmp_path / "killed", Jobs(square), n_trials=3)
    assert [trial.params.keys() for trial in continued.trials] == [{"x", "n"}] * 3
    assert continued.trials[2].params["x"] == whole.trials[2].params["x"]


def test_n_trials_is_the_total(tmp_path):
    searched(tmp_path, Jobs(square), n_trials=4)
    more = Jobs(square)
    assert len(searched(tmp_path, more, n_trials=6).trials) == 6
    assert [values["hydra.sweep.subdir"] for values in more.started] == [4, 5]
    assert len(searched(tmp_path, Jobs(square), n_trials=6).trials) == 6


def test_jobs_start_in_batches(tmp_path):
    jobs = Jobs(square)
    searched(tmp_path, jobs, n_jobs=4)
    assert jobs.batches == [4, 4, 2]


def test_the_best_is_found_and_reported(tmp_path, caplog):
    with caplog.at_level("INFO"):
        study = searched(tmp_path, Jobs(square), "k=2", n_trials=30)
    best = min(study.trials, key=lambda trial: trial.value)
    assert best.value < 1.05  # the smallest possible value is 1
    report = OmegaConf.load(tmp_path / FILE)
    assert report.best[0].trial == best.number
    assert report.best[0]["values"] == [best.value]
    assert report.best[0].folder == str(tmp_path / str(best.number))
    assert report.best[0].command.endswith(f"k=2 x={best.params['x']} n={best.params['n']}")
    assert report.best[0].command in caplog.text


def test_maximize(tmp_path):
    study = searched(tmp_path, Jobs(square), direction="maximize")
    assert OmegaConf.load(tmp_path / FILE).best[0]["values"] == [max(trial.value for trial in study.trials)]


def test_several_objectives_end_with_the_settings_that_no_other_beats(tmp_path):
    jobs = Jobs(lambda values: (values["x"], values["x"] * values["n"]))
    study = searched(tmp_path, jobs, direction=["minimize", "maximize"], n_trials=12)

    def beaten(one):
        return any(
            a <= one.values[0] and b >= one.values[1] and [a, b] != one.values
            for a, b in (trial.values for trial in study.trials)
        )

    expected = [trial.number for trial in study.trials if not beaten(trial)]
    assert [entry.trial for entry in OmegaConf.load(tmp_path / FILE).best] == expected


def test_failed_trials_are_counted_named_and_survived(tmp_path, caplog):
    def sometimes(values):
        if values["n"] == 2:
            raise ValueError("out of\nmemory")
        return math.nan if values["n"] == 3 and values["x"] > 0 else square(values)

    with caplog.at_level("INFO"):
        study = searched(tmp_path, Jobs(sometimes), n_trials=20)
    failed = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    assert {trial.params["n"] for trial in failed} == {2, 3}
    numbers = ", ".join(str(trial.number) for trial in failed)
    assert f"{len(failed)} of 20 trials failed: {numbers}\n" in caplog.text
    report = OmegaConf.load(tmp_path / FILE)
    assert set(report.failed.values()) == {"out of memory", "the objective is nan"}
    assert len(searched(tmp_path, Jobs(sometimes), n_trials=20).trials) == 20  # a failed trial is not run again


def test_a_search_without_a_completed_trial_ends_with_the_reason(tmp_path):
    with pytest.raises(UserError, match=r"none of 3 trials was completed; trial 0: the objective is None\.$"):
        searched(tmp_path, Jobs(lambda values: None), n_trials=3)


def test_a_launcher_that_fails_costs_only_the_trial_that_makes_it_fail(tmp_path):
    """joblib and submitit raise when a worker is killed, instead of returning the other results."""

    class Fragile(Jobs):
        def __call__(self, jobs, first):
            if any("n=2" in job for job in jobs):
                raise RuntimeError("a worker was killed")
            return super().__call__(jobs, first)

    study = searched(tmp_path, Fragile(square), n_jobs=4, n_trials=12)
    states = {(trial.params["n"] == 2, trial.state) for trial in study.trials}
    assert states == {(True, TrialState.FAIL), (False, TrialState.COMPLETE)}


def test_a_trial_is_the_mean_over_its_seeds(tmp_path):
    jobs = Jobs(lambda values: values["n"] + values["seed"])
    study = searched(tmp_path, jobs, seeds=[1, 2, 6], n_jobs=2, n_trials=4)
    assert [trial.value for trial in study.trials] == [trial.params["n"] + 3 for trial in study.trials]
    folders = {values["hydra.sweep.subdir"] for values in jobs.started}
    assert folders == {f"{number}/seed_{seed}" for number in range(4) for seed in (1, 2, 6)}
    assert len(jobs.started) == 12
    assert " seed=1,2,6" in OmegaConf.load(tmp_path / FILE).best[0].command
    assert " -m " in OmegaConf.load(tmp_path / FILE).best[0].command


def test_seeds_that_were_done_before_a_kill_are_not_run_again(tmp_path):
    jobs = Jobs(square, killed_at=4)  # the second seed of trial 1
    for _ in range(2):
        try:
            study = searched(tmp_path, jobs, seeds=[1, 2, 3], n_trials=2)
        except Killed:
            assert study_in(tmp_path).trials[1].state == TrialState.RUNNING
    assert [(values["hydra.sweep.subdir"]) for values in jobs.started] == [
        *("0/seed_1", "0/seed_2", "0/seed_3"),
        *("1/seed_1", "1/seed_2", "1/seed_2", "1/seed_3"),
    ]
    assert len(study.trials) == 2


def test_a_bad_trial_is_pruned_between_its_seeds(tmp_path, caplog):
    pruner = {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 3}
    jobs = Jobs(square)
    with caplog.at_level("INFO"):
        study = searched(tmp_path, jobs, seeds=[1, 2, 3], n_trials=15, pruner=pruner)
    pruned = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert pruned
    for trial in pruned:  # its first seed is worse than the median of those of the complete trials before
        before = [t.intermediate_values[0] for t in study.trials[: trial.number] if t.state == TrialState.COMPLETE]
        assert trial.intermediate_values[0] > statistics.median(before)
        assert f"{trial.number}/seed_2" not in {values["hydra.sweep.subdir"] for values in jobs.started}
    assert f"{len(pruned)} of 15 trials were pruned: {', '.join(str(t.number) for t in pruned)}\n" in caplog.text
    assert list(OmegaConf.load(tmp_path / FILE).pruned) == [trial.number for trial in pruned]


def test_wilcoxon_prunes_across_seeds(tmp_path):
    pruner = {"_target_": "optuna.pruners.WilcoxonPruner", "p_threshold": 0.3}
    study = searched(tmp_path, Jobs(lambda v: square(v) + v["seed"]), seeds=list(range(6)), n_trials=8, pruner=pruner)
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.parametrize("killed_at", [None, 0, 1])
def test_the_defaults_are_the_first_trial_once(killed_at, tmp_path):
    whole = searched(tmp_path / "whole", Jobs(square), n_trials=4, default_first=True)
    with contextlib.suppress(Killed):
        searched(tmp_path / "killed", Jobs(square, killed_at), n_trials=4, default_first=True)
    study = searched(tmp_path / "killed", Jobs(square), n_trials=4, default_first=True)
    assert study.trials[0].params == {"x": 0.25, "n": 2}
    assert [trial.params for trial in study.trials] == [trial.params for trial in whole.trials]
    assert {"x": 0.25, "n": 2} not in [trial.params for trial in study.trials[1:]]


def test_a_kill_before_the_first_trial_has_started_leaves_it_the_first(tmp_path):
    open_study(tmp_path, ["minimize"], []).enqueue_trial({"x": 0.25, "n": 2})
    study = study_in(tmp_path)
    study.set_user_attr("experiment", None)
    study = searched(tmp_path, Jobs(square), n_trials=2, default_first=True)
    assert [trial.params for trial in study.trials].count({"x": 0.25, "n": 2}) == 1
    assert len(study.trials) == 2


def test_a_sampler_that_has_tried_every_setting_ends_the_search(tmp_path):
    sampler = {"_target_": "optuna.samplers.BruteForceSampler", "seed": 0}
    for _ in range(2):
        study = searched(tmp_path, Jobs(square), "x=0,1", sampler=sampler, n_trials=50)
        assert len(study.trials) == 6
    assert len({str(trial.params) for trial in study.trials}) == 6


@pytest.mark.parametrize(
    ("words", "settings", "difference"),
    [
        (["k=3"], {}, "k=2 there, k=3 here"),
        (["k=2", "n=range(1, 5)"], {}, r".*high=3.* there, .*high=4.* here"),
        (["k=2"], {"seeds": [1, 2]}, r"seeds=None there, seeds=\[1, 2\] here"),
        (["k=2"], {"direction": "maximize"}, r"direction=\['minimize'\] there, direction=\['maximize'\] here"),
    ],
)
def test_another_experiment_in_the_same_folder_is_refused(words, settings, difference, tmp_path):
    searched(tmp_path, Jobs(square), "k=2", n_trials=2)
    before = (tmp_path / "study.journal").read_bytes()
    with pytest.raises(UserError, match=f"holds another search: {difference}; choose another folder"):
        searched(tmp_path, Jobs(square), *words, **settings)
    assert [trial.state for trial in study_in(tmp_path).trials] == [TrialState.COMPLETE] * 2
    assert (tmp_path / "study.journal").read_bytes().startswith(before)


def test_a_folder_with_a_sweep_that_is_no_search_is_refused(tmp_path):
    (tmp_path / "0" / ".hydra").mkdir(parents=True)
    with pytest.raises(UserError, match="holds a sweep that is no search; choose another folder"):
        searched(tmp_path, Jobs(square))


def test_two_searches_in_one_folder_are_refused(tmp_path):
    """Each would take the other's running trials for those of a killed search."""
    with one_search(tmp_path), pytest.raises(UserError, match="another process searches here"):
        searched(tmp_path, Jobs(square))


def test_a_kill_between_the_creation_of_the_study_and_its_description_is_harmless(tmp_path):
    open_study(tmp_path, ["minimize"], [])
    lines = (tmp_path / "study.journal").read_text().splitlines(keepends=True)
    (tmp_path / "study.journal").write_text(
        "".join(line for line in lines if "experiment" not in json.loads(line).get("user_attr", {}))
    )
    assert len(searched(tmp_path, Jobs(square), n_trials=2).trials) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"direction": "smaller"}, "hydra.sweeper.direction=smaller: write minimize or maximize, or a list of them"),
        ({"n_jobs": 0}, "hydra.sweeper.n_jobs=0 must be at least 1"),
        ({"sampler": {"_target_": "optuna.samplers.TPSampler"}}, r"hydra.sweeper.sampler: .*TPSampler"),
        (
            {"pruner": {"_target_": "optuna.pruners.MedianPruner", "n_startups": 3}},
            r"hydra.sweeper.pruner: .*n_startups",
        ),
    ],
)
def test_a_wrong_setting_is_refused_before_a_job_starts(settings, message, tmp_path):
    with pytest.raises(UserError, match=message):
        searched(tmp_path, jobs := Jobs(square), **settings)
    assert jobs.started == []


@pytest.mark.parametrize("objective", ["loss/generator", "auto", None, "D(x)", ["valid/a/ema", "loss/generator"]])
def test_a_run_is_never_pruned_by_a_loss(objective, tmp_path):
    pruner = {"_target_": "optuna.pruners.MedianPruner"}
    with pytest.raises(UserError, match=r"^hydra.sweeper.pruner: objective=.* is no score on validation images"):
        searched(tmp_path, Jobs(square), pruner=pruner, objective=objective)


def test_several_objectives_are_not_pruned(tmp_path):
    pruner = {"_target_": "optuna.pruners.MedianPruner"}
    with pytest.raises(
        UserError, match=r"^hydra.sweeper.pruner: Optuna does not prune a search for several objectives"
    ):
        searched(tmp_path, Jobs(square), pruner=pruner, direction=["minimize", "minimize"])
