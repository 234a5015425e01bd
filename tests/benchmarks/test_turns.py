"""Order of the turns, their reports, and the error when a contestant dies."""

import io
import json
import os
import sys
import time

import pytest

from benchmarks.machine import peak_memory
from benchmarks.turns import VARIABLE, Contestant, Died, Turns, play

#: follows the protocol and writes to a file at each turn
PLAYER = f"""
import json, os, sys
name, log = sys.argv[1:]
settings = json.loads(os.environ["{VARIABLE}"])
orders, reports = os.fdopen(settings["orders"]), os.fdopen(settings["reports"], "w")
turn = 0
while True:
    with open(log, "a") as file:
        print("begin", name, file=file)
        print("end", name, file=file)
    TROUBLE
    print(json.dumps({{"seconds": turn, "cpu_seconds": 2 * turn, "peak_bytes": 7}}), file=reports, flush=True)
    turn += 1
    if orders.readline() != "\\n":
        break
print("farewell", file=sys.stderr)
"""


@pytest.fixture
def enter(tmp_path):
    """Starts a contestant that may fail at some point."""
    started = []

    def entered(name, trouble="pass"):
        command = [sys.executable, "-SEc", PLAYER.replace("TROUBLE", trouble), name, str(tmp_path / "log")]
        started.append(Contestant(name, command, 3, tmp_path, {}))
        return started[-1]

    yield entered
    for contestant in started:
        contestant.close()


@pytest.mark.processes
def test_turn_order_rotates_and_turns_never_overlap(enter, tmp_path):
    contestants = [enter(name) for name in "abc"]
    turns = play(contestants, rounds=3, warm_up=1)
    for contestant in contestants:
        contestant.finish()
    lines = (tmp_path / "log").read_text(encoding="utf-8").split("\n")[:-1]
    assert lines[::2] == [line.replace("end", "begin") for line in lines[1::2]]
    # The first batch of each, then the rounds, every second one in reverse order.
    assert "".join(line[-1] for line in lines[1::2]) == "abc" + "abc" + "acb" + "cab" + "cba"
    # The first turn belongs to the warm-up.
    assert {name: [turn.seconds for turn in mine] for name, mine in turns.items()} == {
        name: [2, 3, 4] for name in "abc"
    }
    assert turns["a"][0].cpu_seconds == 4
    assert all(contestant.start_up > 0 for contestant in contestants)


TROUBLES = {
    "at the start": ("raise ValueError('no images')", "ValueError: no images", 1),
    "later": ("if turn == 2: raise ValueError('no memory')", "ValueError: no memory", 1),
    "with a progress bar": ("if turn: os.write(2, b'\\x1b[A 50%\\r\\n 60%\\r'); os._exit(9)", "50% | 60%", 9),
    "without a word": ("if turn: os.kill(os.getpid(), 9)", "it said nothing", -9),
}


@pytest.mark.processes
@pytest.mark.parametrize("trouble", TROUBLES)
def test_error_names_a_dead_contestant_and_its_last_output(enter, trouble):
    code, words, exit_code = TROUBLES[trouble]

    def contest():
        play([enter("bare"), enter("ours", code)], rounds=5, warm_up=0)

    with pytest.raises(Died) as died:
        contest()
    assert str(died.value).startswith(f"ours ended with exit code {exit_code}: ")
    assert str(died.value).endswith(words)
    assert "\n" not in str(died.value)


@pytest.mark.processes
def test_contestant_that_dies_at_the_end_is_an_error(enter):
    contestant = enter("ours", "if turn == 1: orders = __import__('io').StringIO('\\n'); sys.exit('full disk')")
    with pytest.raises(Died, match="full disk"):
        play([contestant], rounds=1, warm_up=0)


def test_reported_times_exclude_waiting_between_turns(monkeypatch):
    now = 0.0

    def wait(seconds):
        nonlocal now
        now += seconds

    class Slow(io.StringIO):
        def readline(self):
            wait(100)
            return super().readline()

    for clock in ("perf_counter", "process_time"):
        monkeypatch.setattr(time, clock, lambda: now)
    reports = io.StringIO()
    turns = Turns(Slow("\n\nend\n"), reports, minibatches=3, device="cpu")
    num_reports = []
    for _ in range(1 + 2 * 3):
        wait(0.25)
        turns.done()
        num_reports.append(reports.getvalue().count("\n"))
    assert num_reports == [1, 1, 1, 2, 2, 2, 3]
    records = [json.loads(line) for line in reports.getvalue().splitlines()]
    assert [record["seconds"] for record in records] == [0.25, 0.75, 0.75]
    assert [record["cpu_seconds"] for record in records] == [0.25, 0.75, 0.75]


class Closed(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


@pytest.mark.parametrize(("orders", "reports"), [("", io.StringIO()), ("\n", Closed())])
def test_contestant_ends_at_once_without_its_parent(monkeypatch, orders, reports):
    def leave(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit) as end:
        Turns(io.StringIO(orders), reports, minibatches=3, device="cpu").done()
    assert end.value.code == 1


def test_peak_memory_is_that_of_this_process():
    assert 2**24 < peak_memory() < 2**36
