"""Means over seeds, and the ranking of settings."""

import math

import numpy as np
import pytest

from gan.core.errors import UserError
from gan.reports.groups import group_jobs
from gan.reports.jobs import read_jobs
from gan.reports.ranking import choose_criterion, objectives, verdict
from gan.reports.scores import Mean, Score, collect
from gan.runs import outcome
from tests.reports.conftest import scored

FRECHET = Score("frechet_distance", "test", "pixels", 100)


def read(folder):
    jobs = read_jobs(folder)
    return group_jobs(jobs), collect(jobs)


def test_mean_and_error_equal_a_second_computation(make_job, tmp_path):
    values = [3.0, 5.5, 4.25]
    for seed, value in enumerate(values):
        make_job(str(seed), f"seed={seed}", scores=[scored("frechet_distance", "ema", value)])
    (group,), table = read(tmp_path / "sweep")
    mean = table.mean(group, FRECHET, "ema")
    assert mean.value == pytest.approx(np.mean(values), rel=1e-12)
    assert mean.error == pytest.approx(np.std(values, ddof=1) / np.sqrt(3), rel=1e-12)
    assert str(mean) == "4.25 ± 0.72"


def test_the_newest_record_of_a_score_counts(make_job):
    late, early = ({"written": f"2026-01-0{day}T00:00:00+00:00"} for day in (2, 1))
    records = [
        scored("frechet_distance", "ema", 1.0, provenance=late, iteration=200),
        scored("frechet_distance", "ema", 9.0, provenance=early, iteration=100),
    ]
    (group,), table = read(make_job("0", scores=records))
    assert table.mean(group, FRECHET, "ema").value == 1.0


def test_scores_that_cannot_be_compared_are_different_columns(make_job):
    records = [scored("frechet_distance", "ema", float(i), features=f) for i, f in enumerate(("mnist", "digits"))]
    records.append(scored("frechet_distance", "ema", 3.0, split="valid"))
    _, table = read(make_job("0", scores=records))
    assert len(table.generators) == 3


def test_objective_ranks_and_a_setting_that_lost_a_run_is_not_best(sweep):
    groups, table = read(sweep)
    criterion = choose_criterion(groups, table)
    assert [groups[i].label for i in criterion.order()] == ["loss=hinge", "loss=nonsaturating", "loss=lsgan"]
    means = {group.label: mean for group, mean in zip(groups, criterion.means, strict=True)}
    assert means["loss=hinge"].value == pytest.approx(1.1)
    assert (means["loss=lsgan"].count, means["loss=lsgan"].expected) == (1, 2)
    # (3.2 - 1.1) / sqrt(0.1² + 0.2²)
    ahead = "best: 9.4 standard errors ahead of loss=nonsaturating"
    assert criterion.verdict([group.label for group in groups]) == ahead
    assert f"{2.1 / math.sqrt(0.05):.1f}" == "9.4"


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (Mean(2.9, 0.6, 3, 3), "best, not clearly: 1.9 standard errors ahead of b"),  # error 1 of the difference
        (Mean(3.0, 0.6, 3, 3), "best: 2.0 standard errors ahead of b"),
        (Mean(1.0, 0.6, 3, 3), "best, not clearly: 0.0 standard errors ahead of b"),
        (Mean(0.5, 0.1, 2, 3), "first of 3; b has runs without a number"),
        (Mean(9.0, None, 1, 1), "first of 3; b has one seed, no error bar"),
        (Mean(math.inf, None, 3, 3), "first of 3; b is not finite"),
    ],
)
def test_only_a_lead_of_two_standard_errors_is_clear(second, expected):
    means = [Mean(1.0, 0.8, 3, 3), second, Mean(9.0, 0.1, 3, 3)]
    assert verdict(means, ["a", "b", "c"]) == expected


def test_one_seed_each_has_no_best_setting():
    once = [Mean(value, None, 1, 1) for value in (157.8, 157.9)]
    assert verdict(once, ["a", "b"]) == "first of 2; one seed each, no error bar"
    failed = Mean(math.nan, None, 0, 1)
    assert verdict([once[0], failed], ["a", "b"]) == "the only setting with a number"
    assert verdict(once[:1], ["a"]) == "the only setting"


def test_runs_that_all_gave_the_same_number_are_compared_too():
    one, other = Mean(1.0, 0.0, 2, 2), Mean(1.5, 0.0, 2, 2)
    assert verdict([one, other], ["a", "b"]) == "best: inf standard errors ahead of b"
    assert verdict([one, one], ["a", "b"]) == "best, not clearly: 0.0 standard errors ahead of b"


@pytest.mark.parametrize("worst", [float("inf"), float("nan")])
def test_a_diverged_run_is_the_worst(make_job, tmp_path, worst):
    make_job("0", "k=1", objective=worst)
    make_job("1", "k=2", objective=1e9)
    groups, table = read(tmp_path / "sweep")
    assert choose_criterion(groups, table).order() == [1, 0]


def test_without_an_objective_validation_scores_rank_and_then_test_scores(make_job, tmp_path):
    for k, (valid, test) in enumerate([(5.0, 1.0), (4.0, 2.0)], start=1):
        scores = [scored("fid", "ema", test), scored("recall", "ema", 1.0, None)]
        make_job(str(k), f"k={k}", scores=scores, curves={"valid/fid/ema": [9.0, valid], "valid/fid/floor": [1.0, 1.0]})
    groups, table = read(tmp_path / "sweep")
    criterion = choose_criterion(groups, table)
    assert (criterion.name, criterion.order()) == ("valid/fid/ema", [1, 0])
    criterion = choose_criterion(groups, table, best_by="fid/ema")
    assert criterion.order() == [0, 1]
    assert "test images" in criterion.remark


def test_best_by_needs_a_number_and_a_direction(sweep):
    groups, table = read(sweep)
    with pytest.raises(
        UserError, match=r"best_by=frechet_distance/emma: no run has this number. Did you mean 'frechet"
    ):
        choose_criterion(groups, table, best_by="frechet_distance/emma")
    with pytest.raises(UserError, match="give better=lower"):
        choose_criterion(groups, table, best_by="recall/ema")
    highest = choose_criterion(groups, table, best_by="recall/ema", better="higher")
    # lsgan's 0.2 comes from one of two runs, therefore hinge is first
    assert groups[highest.order()[0]].label == "loss=hinge"


def test_nothing_ranks_runs_without_numbers(make_job):
    groups, table = read(make_job("0"))
    assert choose_criterion(groups, table) is None


def test_several_objectives_have_names_and_directions_of_their_own(make_job, tmp_path):
    for k, values in enumerate([[1.0, 0.5], [2.0, 0.9]], start=1):
        folder = make_job(str(k), f"k={k}")
        outcome.write(folder, values, names=["valid/fid/ema", "valid/recall/ema"], better=["lower", "higher"])
    groups, _ = read(tmp_path / "sweep")
    first, second = objectives(groups)
    assert [(one.name, one.better) for one in (first, second)] == [
        ("valid/fid/ema", "lower"),
        ("valid/recall/ema", "higher"),
    ]
    assert (first.order(), second.order()) == ([0, 1], [1, 0])
    assert "the first ranks" in first.remark
