"""The table of settings for the terminal."""

from gan.reports.comparison import compare
from gan.reports.groups import group_jobs
from gan.reports.jobs import read_jobs
from gan.reports.scores import collect
from tests.reports.conftest import scored


def compared(folder):
    jobs = read_jobs(folder)
    return compare(group_jobs(jobs), collect(jobs))


def test_rows_are_settings_with_means_of_the_ema_and_the_floor_is_last(sweep):
    # recall has no direction and no column; lsgan has lost one of its two runs
    assert compared(sweep) == [
        "                         frechet",
        "                      distance ↓",
        "loss=nonsaturating  10.75 ± 0.25",
        "loss=hinge          11.75 ± 0.25",
        "loss=lsgan                  12.5",
        "floor                        1.5",
    ]


def test_setting_without_an_ema_shows_its_generator(make_job, tmp_path):
    make_job("0", "k=1", scores=[scored("fid", "raw", 3.0), scored("fid", "ema", 2.0), scored("fid", "floor", 1.0)])
    make_job("1", "k=2", scores=[scored("fid", "raw", 4.0), scored("fid", "floor", 1.0)])
    rows = [line.split() for line in compared(tmp_path / "sweep")]
    assert rows == [["fid", "↓"], ["k=1", "2"], ["k=2", "4"], ["floor", "1"]]


def test_scores_that_cannot_be_compared_have_columns_of_their_own(make_job, tmp_path):
    for i, features in enumerate(("mnist", "digits"), start=1):
        scores = [scored("fid", name, value, features=features) for name, value in (("ema", 9.0), ("floor", 1.0 * i))]
        make_job(str(i), f"k={i}", scores=scores)
    assert [line.split() for line in compared(tmp_path / "sweep")] == [
        ["fid", "fid"],
        ["mnist", "digits"],
        ["100", "↓", "100", "↓"],
        ["k=1", "9", "–"],
        ["k=2", "–", "9"],
        ["floor", "1", "2"],
    ]


def test_scores_without_a_direction_are_shown_where_there_are_no_others(make_job, tmp_path):
    for k in (1, 2):
        make_job(str(k), f"k={k}", scores=[scored("copies", "raw", k, None), scored("copies", "floor", k / 4, None)])
    assert [line.split() for line in compared(tmp_path / "sweep")] == [
        ["copies"],
        ["k=1", "1"],
        ["k=2", "2"],
        ["floor", "–"],
    ]
