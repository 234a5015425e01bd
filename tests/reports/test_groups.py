"""Groups of jobs that differ only in their seed: labels and commands."""

import shlex

from gan.app.command_line import check, parsed
from gan.reports.groups import DEFAULTS, group_jobs, label_of
from gan.reports.jobs import read_jobs


def test_jobs_that_differ_in_the_seed_form_a_group(sweep):
    groups = group_jobs(read_jobs(sweep))
    assert [group.label for group in groups] == ["loss=nonsaturating", "loss=hinge", "loss=lsgan"]
    assert [[job.name for job in group.jobs] for group in groups] == [["0", "1"], ["2", "3"], ["4", "5"]]
    assert groups[0].command() == "python train.py -m loss=nonsaturating seed=1,2"


def test_a_key_that_one_command_line_leaves_out_has_its_default(make_job, tmp_path):
    make_job("0", "seed=1")
    make_job("1", "loss=hinge", "latent.dim=20")
    labels = [group.label for group in group_jobs(read_jobs(tmp_path / "sweep"))]
    assert labels == ["loss=nonsaturating latent.dim=100", "loss=hinge latent.dim=20"]


def test_paths_and_callbacks_do_not_separate_runs(make_job, tmp_path):
    make_job("0", "output_dir=a", "callbacks.monitor.every_n_batches=10")
    make_job("1", "output_dir=b", "seed=2")
    (group,) = group_jobs(read_jobs(tmp_path / "sweep"))
    assert group.seeds == ["1", "2"]
    assert "output_dir" not in group.command()


def test_settings_with_the_same_command_line_are_told_apart_by_their_keys(make_job, tmp_path):
    make_job("0", "loss=hinge")
    other = make_job("1", "loss=hinge") / ".hydra" / "config.yaml"
    other.write_text(other.read_text(encoding="utf-8").replace("\nk: 1\n", "\nk: 3\n"), encoding="utf-8")
    assert [group.label for group in group_jobs(read_jobs(tmp_path / "sweep"))] == ["k=1", "k=3"]


def test_command_repeats_the_runs_in_a_shell(make_job, tmp_path):
    words = ["metrics=[frechet]", "+callbacks.mine._target_=my.C", "~callbacks.progress", "trainer.accelerator='c p u'"]
    for seed in (3, 5):
        make_job(f"{seed}", *words, f"seed={seed}")
    (group,) = group_jobs(read_jobs(tmp_path / "sweep"))
    script, *arguments = shlex.split(group.command(["--config-dir=/x y"]))[1:]
    assert script == "train.py"
    assert arguments == ["-m", *words, "seed=3,5", "--config-dir=/x y"]
    check(parsed(arguments).overrides, "train", sweep=True)


def test_one_run_has_the_command_without_m(make_job):
    (group,) = group_jobs(read_jobs(make_job("0", "loss=hinge", "seed=7")))
    assert (group.label, group.command()) == ("loss=hinge", "python train.py loss=hinge seed=7")


def test_label_of_a_command_line_has_what_affects_the_training():
    words = ["loss=hinge", "seed=7", "output_dir=run", "logger=csv", "callbacks.monitor.every_n_batches=5", "+k=2"]
    assert label_of(words) == "loss=hinge +k=2"
    assert label_of(words[1:5]) == DEFAULTS


def test_long_numbers_are_rounded_where_they_stay_different(make_job, tmp_path):
    for i, value in enumerate(["0.00123456789", "0.98765432101"]):
        make_job(f"a/{i}", f"recipe.lr={value}")
        make_job(f"b/{i}", f"recipe.lr=0.12345678{i}")
    labels = [[group.label for group in group_jobs(read_jobs(tmp_path / "sweep" / name))] for name in ("a", "b")]
    assert labels[0] == ["recipe.lr=0.001235", "recipe.lr=0.9877"]
    assert labels[1] == ["recipe.lr=0.123456780", "recipe.lr=0.123456781"]
