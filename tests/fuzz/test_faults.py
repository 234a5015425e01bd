"""A kill, a full disk or Ctrl-C at any change of a file: nothing is lost, and a resumed run has the same bits."""

import itertools
import re
import shutil

import pytest

from gan.runs.checkpoint import read
from tests.fuzz.faults import KILLED, run
from tests.fuzz.test_files import same
from tests.fuzz.tiny import FIGURES, some

pytestmark = pytest.mark.processes

TRAIN = [
    *("model.generator.hidden=[4]", "model.discriminator.hidden=[4]", "latent.dim=2", "trainer=cpu"),
    *("trainer.max_steps=3", "data.batch_size=8", "logger=csv", "hydra/help=default"),
    *("callbacks.checkpoint.every_n_batches=1", "callbacks.monitor.every_n_batches=1"),
    *("callbacks.sample_grids.every_n_batches=2", "callbacks.sample_grids.count=4"),
]
RUN = [*TRAIN, "output_dir=run"]
SWEEP = ["-m", *TRAIN, "seed=1,2", "hydra.sweep.dir=sweep"]


def moments(events, few):
    """Numbers of changes: of many writes into one file in a row, only the first, one in between and the last."""
    chosen = []
    for number, event in enumerate(events):
        around = events[max(0, number - 1) : number + 2]
        if not (event.startswith("write") and around.count(event) == 3 and number % 50):
            chosen.append(number)
    return sorted(some(chosen, few))


def result(checkpoint):
    """What a resumed run must have in common with an uninterrupted one."""
    saved = read(checkpoint)
    return {key: saved[key] for key in ("iteration", "state_dict", "optimizer_states")}


def whole(folder, words, place):
    """The changes, the result and the curves of a command without faults."""
    folder.mkdir()
    ended = run(folder, "train.py", *words)
    assert ended.status == 0, ended.output
    table = (folder / place / "metrics.csv").read_text()
    return ended.events, result(folder / place / "checkpoints" / "last.ckpt"), columns(table)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return whole(tmp_path_factory.mktemp("whole") / "work", RUN, "run")


def columns(table):
    """A table of curves without the column of the speed."""
    rows = [row.split(",") for row in table.splitlines()]
    place = rows[0].index("speed/images_per_second")
    return [row[:place] + row[place + 1 :] for row in rows]


def test_killed_run_is_resumed_with_the_same_bits(uninterrupted, tmp_path):
    events, expected, _ = uninterrupted
    for at in moments(events, 2):
        folder = tmp_path / str(at)
        folder.mkdir()
        ended = run(folder, "train.py", *RUN, at=at)
        assert ended.status in (KILLED, 0), ended.output  # 0: after the last change that this run makes
        last = folder / "run" / "checkpoints" / "last.ckpt"
        if last.exists() and read(last)["iteration"] == 3:
            FIGURES["killed run", "had ended"] += 1
        elif last.exists():
            ended = run(folder, "train.py", "ckpt_path=run/checkpoints/last.ckpt", "output_dir=rest", name="rest")
            assert ended.status == 0, (at, events[at], ended.output)
            last = folder / "rest" / "checkpoints" / "last.ckpt"
            FIGURES["killed run", "resumed"] += 1
        else:  # nothing to lose: the same command starts again
            ended = run(folder, "train.py", *RUN, name="again")
            assert ended.status == 0, (at, events[at], ended.output)
            FIGURES["killed run", "started again"] += 1
        assert same(result(last), expected), (at, events[at])


@pytest.mark.slow
def test_killed_sweep_is_completed_by_the_same_command(tmp_path):
    events, expected, table = whole(tmp_path / "whole", SWEEP, "sweep/1")
    for at in moments(events, 2):
        folder = tmp_path / str(at)
        folder.mkdir()
        run(folder, "train.py", *SWEEP, at=at)
        ended = run(folder, "train.py", *SWEEP, name="again")
        assert ended.status == 0, (at, events[at], ended.output)
        assert same(result(folder / "sweep" / "1" / "checkpoints" / "last.ckpt"), expected), (at, events[at])
        assert columns((folder / "sweep" / "1" / "metrics.csv").read_text()) == table, (at, events[at])
        FIGURES["killed sweep", "completed"] += 1


def check_one_line(ended, at, event):
    """A command that failed has said so in one line, as its last one."""
    assert "Traceback" not in ended.output, (at, event, ended.output)
    assert "Exception ignored" not in ended.output, (at, event, ended.output)
    assert "--- Logging error ---" not in ended.output, (at, event, ended.output)
    lines = [line for line in ended.output.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, (at, event, ended.output)
    assert ended.status == 1, (at, event, ended.output)
    return lines[0]


def test_full_disk_ends_a_training_in_one_line(uninterrupted, tmp_path):
    events, _, _ = uninterrupted
    for at in moments(events, 2):
        folder = tmp_path / str(at)
        folder.mkdir()
        ended = run(folder, "train.py", *RUN, at=at, action="full")
        if ended.status:
            line = check_one_line(ended, at, events[at])
            assert re.search(r"No space left|disk", line), line
        last = folder / "run" / "checkpoints" / "last.ckpt"
        written = [event for event in ended.events[:at] if re.fullmatch(r"replace .*last.ckpt.*", event)]
        if written:
            assert read(last)["iteration"] >= 1  # the one before is whole
        FIGURES["full disk", "one line" if ended.status else "not needed any more"] += 1


def test_ctrl_c_during_a_training(uninterrupted, tmp_path):
    """It stops with a checkpoint, or before the first one without a traceback."""
    events, expected, _ = uninterrupted
    for at in moments(events, 2):
        folder = tmp_path / str(at)
        folder.mkdir()
        ended = run(folder, "train.py", *RUN, at=at, action="interrupt")
        assert "Traceback" not in ended.output, (at, events[at], ended.output)
        assert ended.status in (130, 0), (at, events[at], ended.output)  # 0: it had nothing more to do
        last = folder / "run" / "checkpoints" / "last.ckpt"
        if found := re.search(r"python train.py (ckpt_path=\S+)", ended.output):
            ended = run(folder, "train.py", found[1], "output_dir=rest", name="rest")
            if "nothing is left to do" not in ended.output:
                assert ended.status == 0, (at, events[at], ended.output)
                last = folder / "rest" / "checkpoints" / "last.ckpt"
            assert same(result(last), expected), (at, events[at])
            FIGURES["Ctrl-C in a training", "resumed"] += 1
        else:
            assert ended.status == 0 or "interrupted" in ended.output, (at, events[at], ended.output)
            FIGURES["Ctrl-C in a training", "interrupted" if ended.status else "ended"] += 1


COMMANDS = {
    "evaluate": ("evaluate.py", ["run=run", "metrics=frechet", "features=pixels", "num_samples=20"]),
    "sample": ("sample.py", ["run=run", "figures=grid", "save_samples=true", "save_images=true", "export=true"]),
    "report": ("report.py", ["run=run"]),
    "export": ("export.py", ["run=run", "format=safetensors"]),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "work"
    folder.mkdir()
    assert run(folder, "train.py", *RUN).status == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("name", "action"), some(list(itertools.product(COMMANDS, ("kill", "full", "interrupt"))), 4))
def test_fault_in_another_command(trained, tmp_path, name, action):
    """The same command succeeds afterwards; what was there before is still there."""
    script, words = COMMANDS[name]
    words = [*words, "num_samples=4", "hydra/help=default"] if name == "sample" else [*words, "hydra/help=default"]
    folder = shutil.copytree(trained, tmp_path / "work")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    ended = run(folder, script, *words, name="whole")
    assert ended.status == 0, ended.output
    written = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = [*words, "overwrite=true"] if name == "export" else words
    for at in moments(ended.events, 1):
        fault = run(folder, script, *again, at=at, action=action)
        if action == "full" and fault.status:
            check_one_line(fault, at, fault.events[at])
        if action == "interrupt":
            assert "Traceback" not in fault.output, (at, fault.output)
            assert fault.status in (130, 0), (at, fault.output)
        for path, content in before.items():
            assert path.suffix == ".log" or path.read_bytes() == content, (at, path)
        final = run(folder, script, *again, name="again")
        assert final.status == 0, (at, final.output)
        now = {path.name for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".unfinished")}
        assert {path.name for path in written} <= now
        FIGURES[f"{action} in {name}", "the same command succeeded afterwards"] += 1
