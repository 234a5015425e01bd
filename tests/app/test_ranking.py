"""The ranking of a sweep: settings over seeds, directions, failed and diverged jobs, several objectives."""

import json
import math
import shlex
import statistics

import pytest
from omegaconf import OmegaConf

from gan.app import ranking
from gan.app.command_line import parsed
from gan.app.overrides import check
from gan.runs import outcome


@pytest.fixture
def sweep(tmp_path):
    """Writes the folders of a sweep: (overrides, objective or None) for each job."""

    def written(*jobs, names=("valid/frechet_distance/ema",), better=("lower",)):
        for number, (overrides, objective) in enumerate(jobs):
            folder = tmp_path / str(number)
            (folder / ".hydra").mkdir(parents=True)
            OmegaConf.save(OmegaConf.create(overrides.split()), folder / ".hydra" / "overrides.yaml")
            if objective is not None:
                outcome.write(folder, objective, names=names, better=better)
        return tmp_path

    return written


def test_rows_are_settings_with_mean_and_standard_error_over_seeds(sweep):
    values = {"minimax": [5.0, 7.0, 9.0], "hinge": [4.0, 4.5, 3.0]}
    jobs = [(f"k=2 loss={n} seed={s} data.seed={s}", v[s]) for n, v in values.items() for s in range(3)]
    found = ranking.rank(sweep(*jobs))
    assert [one.overrides for one in found.settings] == [("k=2", "loss=hinge"), ("k=2", "loss=minimax")]
    for one, name in zip(found.settings, ("hinge", "minimax"), strict=True):
        assert one.means == [sum(values[name]) / 3]
        assert one.errors == [pytest.approx(statistics.stdev(values[name]) / math.sqrt(3))]


@pytest.mark.parametrize(("better", "order"), [("lower", ["b", "a", "c"]), ("higher", ["c", "a", "b"])])
def test_direction_decides_the_order(sweep, better, order):
    found = ranking.rank(sweep(*((f"loss={n}", v) for n, v in {"a": 2.0, "b": 1.0, "c": 3.0}.items()), better=[better]))
    assert [one.overrides for one in found.settings] == [(f"loss={name}",) for name in order]
    assert f"{better} is better" in ranking.lines(found, sweep())[0]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([[5.0, 7.0], [6.5, 8.5]], "best, not clearly: 1.1 standard errors ahead of k=2"),  # 1.5 / sqrt(2)
        ([[5.0, 7.0], [9.0, 11.0]], "best: 2.8 standard errors ahead of k=2"),  # 4 / sqrt(2)
        ([[5.0], [9.0]], "first of 2; one seed each, no error bar"),
        ([[5.0, 6.0]], "the only setting"),
    ],
)
def test_end_says_how_sure_the_first_place_is(sweep, values, line):
    jobs = [(f"k={k} seed={s}", v) for k, several in enumerate(values, 1) for s, v in enumerate(several)]
    folder = sweep(*jobs)
    assert ranking.lines(ranking.rank(folder), folder)[-2:] == [line, "  python train.py k=1"]


@pytest.mark.parametrize(("better", "worst"), [("lower", math.inf), ("higher", -math.inf)])
def test_diverged_and_failed_jobs_are_below_all_others(sweep, better, worst):
    good = 1.0 if better == "lower" else 9.0
    jobs = [("loss=diverged seed=1", good), ("loss=diverged seed=2", worst), ("loss=failed seed=1", None)]
    jobs += [("loss=once seed=1", good), ("loss=once seed=2", None), ("loss=fine seed=1", 5.0), ("loss=fine seed=2", 5)]
    folder = sweep(*jobs, better=[better])
    found = ranking.rank(folder)
    assert [one.overrides[0] for one in found.settings] == ["loss=fine", "loss=diverged", "loss=once", "loss=failed"]
    text = "\n".join(ranking.lines(found, folder))
    assert "without an objective: 4, 2 " in text
    assert text.endswith("\nfirst of 3; loss=diverged is not finite\n  python train.py loss=fine")
    json.loads(ranking.write(found, folder).read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_pruned_jobs_are_named_and_below_those_that_ended(sweep):
    folder = sweep(("k=1", None), ("k=2", 2.0), ("k=3", None))
    (folder / "0" / outcome.PRUNED).write_text("{}")
    found = ranking.rank(folder)
    assert [one.overrides for one in found.settings] == [("k=2",), ("k=1",), ("k=3",)]
    text = ranking.lines(found, folder)
    assert "pruned: 0 (a setting with such a job is last)" in text
    assert "without an objective: 2 (a setting with such a job is last)" in text


def test_unfinished_job_counts_as_failed(sweep, tmp_path):
    folder = sweep(("k=1", 1.0), ("k=2", 2.0))
    outcome.write(tmp_path / "0", None, finished=False)
    assert [one.overrides for one in ranking.rank(folder).settings] == [("k=2",), ("k=1",)]


def test_several_objectives_have_the_settings_that_no_other_beats_first(sweep):
    points = {"a": [1.0, 0.1], "b": [2.0, 0.9], "c": [2.5, 0.5], "d": [0.5, 0.05], "e": [1.0, 0.05]}
    names = ["valid/frechet_distance/ema", "valid/recall/ema"]
    folder = sweep(*((f"loss={n}", v) for n, v in points.items()), names=names, better=["lower", "higher"])
    found = ranking.rank(folder)

    def is_beaten(one):
        others = [point for point in points.values() if point != points[one]]
        return any(f <= points[one][0] and r >= points[one][1] for f, r in others)

    best = {one.overrides[0].removeprefix("loss=") for one in found.settings[: found.best]}
    assert best == {name for name in points if not is_beaten(name)} == {"a", "b", "d"}
    assert [line for line in ranking.lines(found, folder) if line.startswith("best: ")] == [
        f"best: python train.py loss={name}" for name in ("d", "a", "b")
    ]


def test_nothing_is_ranked_without_comparable_objectives(sweep, tmp_path):
    folder = sweep(("data=digits", 3.0), ("data=ring", None), ("data=gaussian", None))
    outcome.write(tmp_path / "1", 8.0, names=["valid/modes_found/ema"], better=["higher"])
    outcome.write(tmp_path / "2", None)
    assert ranking.rank(folder) is None
    (tmp_path / "0" / "outcome.json").unlink()
    (tmp_path / "1" / "outcome.json").unlink()
    assert ranking.rank(folder) is None


def test_command_of_a_setting_is_accepted_by_the_command_line(sweep):
    found = ranking.rank(sweep(("metrics=[frechet,kernel] hydra.verbose=true k=2 seed=3", 1.0)))
    program, script, *words = shlex.split(found.settings[0].command)
    assert (program, script, words) == ("python", "train.py", ["metrics=[frechet,kernel]", "k=2"])
    check(parsed(words).overrides, "train")


def test_jobs_are_found_at_any_depth_in_numeric_order(tmp_path):
    for name in ("10", "9", "optim/schedule=linear"):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        OmegaConf.save(OmegaConf.create(["k=1"]), tmp_path / name / ".hydra" / "overrides.yaml")
    assert [str(path.relative_to(tmp_path)) for path in ranking.jobs_in(tmp_path)] == [
        "9",
        "10",
        "optim/schedule=linear",
    ]


def test_long_ranking_is_shortened_on_the_terminal(sweep):
    folder = sweep(*((f"k={n}", float(n)) for n in range(1, 45)))
    found = ranking.rank(folder)
    text = ranking.lines(found, folder)
    assert len(found.settings) == 44
    assert any(line.startswith("  … 14 more in ") for line in text)
    assert len(json.loads(ranking.write(found, folder).read_text(encoding="utf-8"))["settings"]) == 44
