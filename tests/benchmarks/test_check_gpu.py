"""The self-check of a GPU: checks that pass, fail, are skipped or run out of time, and the whole self-check."""

import os
import signal
import time

import pytest
import torch

from benchmarks import check_gpu
from benchmarks.bench import Bench, largest_difference, same_bits
from benchmarks.checks import CHECKS, Check, strain
from benchmarks.verdicts import Failure, Found, Outcome, OutOfTime, Skip, report, shown


@pytest.fixture
def bench(tmp_path):
    return Bench("cpu", tmp_path, time.monotonic() + 600)


def raising(error):
    def do(bench):
        raise error

    return do


GOOD, BAD = (Check(name, 1, lambda bench, good=good: Found(good, "1 | 2")) for name, good in (("good", 1), ("bad", 0)))


def outcomes(path):
    table = path.read_text().partition("| check |")[2].partition("\n\n")[0]
    rows = [line.split(" | ") for line in table.splitlines()[2:]]
    return {row[0].strip("| "): row[1] for row in rows}


@pytest.mark.processes
def test_failing_check_stops_no_other_and_sets_exit_code_1(bench, tmp_path, capsys):
    checks = [
        *(
            Check("breaks", 1, raising(Failure("exit code 3\nlast words"))),
            Check("is wrong", 1, raising(KeyError("x"))),
        ),
        *(BAD, Check("cannot", 1, raising(Skip("one GPU"))), Check("too slow", 1, raising(OutOfTime())), GOOD),
        Check("too long", 10_000, GOOD.do),
    ]
    path = tmp_path / "deep" / "report.md"
    assert check_gpu.play(bench, checks, path) == 1
    assert outcomes(path) == {
        **{"breaks": "FAIL", "is wrong": "FAIL", "bad": "FAIL", "cannot": "skipped", "too slow": "not run"},
        **{"good": "pass", "too long": "not run"},
    }
    page = path.read_text()
    for words in (
        "last words",
        "KeyError: 'x'",
        "raise error",
        "one GPU",
        "1 \\| 2",
        "1 pass, 3 FAIL, 1 skipped, 2 not run",
    ):
        assert words in page
    assert page.strip() in capsys.readouterr().out


@pytest.mark.processes
def test_passed_and_skipped_checks_give_exit_code_0(bench, tmp_path):
    assert check_gpu.play(bench, [GOOD, Check("cannot", 1, raising(Skip("why")))], tmp_path / "report.md") == 0


@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_leaves_a_report_of_finished_checks(bench, tmp_path, number):
    before = signal.getsignal(number)
    stopping = Check("stopping", 1, lambda bench: os.kill(os.getpid(), number))
    path = tmp_path / "report.md"
    assert check_gpu.play(bench, [GOOD, stopping, BAD], path) == 128 + number
    assert outcomes(path) == {"good": "pass", "stopping": "not run", "bad": "not run"}
    assert signal.getsignal(number) == before


def test_missing_gpu_prints_one_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert check_gpu.main([]) == 0
    line = capsys.readouterr().out
    assert line.startswith("no GPU: torch.cuda.is_available() is False (torch ")
    assert line.endswith("; nothing was checked\n")
    assert line.count("\n") == 1


def test_odd_number_of_epochs_is_refused():
    with pytest.raises(SystemExit, match="--epochs must be an even number of at least 2, got 3"):
        check_gpu.main(["--epochs", "3"])


@pytest.mark.slow
@pytest.mark.processes
def test_failed_command_reports_its_last_lines(bench):
    with pytest.raises(Failure, match=r"exit code 1\n(.*\n)*error: k must be a whole number"):
        bench.run("train.py", "k=0", f"output_dir={bench.folder / 'run'}")
    assert shown(bench.commands[0]).startswith("python train.py k=0")


@pytest.mark.processes
def test_command_past_the_time_limit_is_killed(tmp_path):
    bench = Bench("cpu", tmp_path, time.monotonic() + 1)
    with pytest.raises(OutOfTime):
        bench.run("-c", "import time; time.sleep(60)")
    assert bench.left > -20


def test_failed_run_is_not_trained_again(bench, monkeypatch):
    asked = []
    monkeypatch.setattr(Bench, "run", lambda self, *words: asked.append(words) or raising(Failure("no"))(self))
    for _ in range(2):
        with pytest.raises(Failure, match="no"):
            bench.train("run")
    assert len(asked) == 1


def test_tensor_differences_and_bit_equality():
    a = {"w": torch.tensor([1.0, 200.0]), "n": torch.tensor(3)}
    b = {"w": torch.tensor([1.0, 202.0]), "n": torch.tensor(3)}
    assert largest_difference(b, a) == pytest.approx(2 / 200)
    assert same_bits(a, dict(a))
    assert not same_bits(a, b)
    assert not same_bits(a, {"w": a["w"]})
    assert largest_difference(a, {"w": torch.tensor([1.0, torch.nan]), "n": torch.tensor(3)}) == torch.inf


@pytest.mark.parametrize(
    ("metric", "a", "b", "within"),
    [
        ("frechet_distance", 10.0, 10.015, True),
        ("frechet_distance", 10.0, 10.03, False),
        ("precision", 0.0, 0.004, True),
        ("precision", 0.0, 0.006, False),
        ("inception_score", float("nan"), 3.0, False),
    ],
)
def test_tolerance_of_each_metric(metric, a, b, within):
    assert (strain({"metric": metric, "value": a}, {"metric": metric, "value": b}) <= 1) == within


def test_check_names_are_unique():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert sum(check.seconds for check in CHECKS) < 600
    assert report({}, []).startswith("# Self-check")


@pytest.mark.processes
@pytest.mark.slow
def test_whole_self_check_on_a_cpu(tmp_path, monkeypatch):
    """As on a GPU, without the checks that need one; the speed contest has its own test."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    names = [check.name for check in CHECKS if check.name not in ("speed", "training-bf16-mixed", "resume-bf16-mixed")]
    path = tmp_path / "report.md"
    small = ["model.generator.hidden=[32]", "model.discriminator.hidden=[32]"]
    words = ["--device", "cpu", "--epochs", "2", "--report", str(path), "--only", *names, "--train", *small]
    assert check_gpu.main(words) == 0, path.read_text()
    found = outcomes(path)
    skipped = {"training-16-mixed", "resume-16-mixed", "capture", "capture-resume", "capture-others", "tests"}
    assert found == {name: Outcome.SKIPPED if name in skipped else Outcome.PASSED for name in names}
    page = path.read_text()
    for words in (
        "same seed: same bits",
        "from epoch=0001.ckpt: same bits",
        "trained classifier",
        "python evaluate.py run=",
    ):
        assert words in page
