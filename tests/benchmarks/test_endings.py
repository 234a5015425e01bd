"""However a benchmark ends, the processes that it started end too."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.timing import environment

pytestmark = pytest.mark.processes
LONG = (signal.SIGKILL, signal.SIGHUP, signal.SIGINT)
SIGNALS = [signal.SIGTERM, *(pytest.param(number, marks=pytest.mark.slow) for number in LONG)]

#: a contest of two that never ends; each contestant creates a file named after its process id
CONTEST = """
import sys, tempfile
from pathlib import Path
from benchmarks import endings
from benchmarks.turns import Contestant, play

CODE = '''
import os, sys, time
from pathlib import Path
from benchmarks.turns import Turns
turns = Turns.from_environment("cpu")
Path(sys.argv[1], str(os.getpid())).touch()
while True:
    time.sleep(0.01)
    turns.done()
'''

def main():
    contestants = []
    with tempfile.TemporaryDirectory(dir=sys.argv[1], prefix="place") as place:
        try:
            for name in "ab":
                command = [sys.executable, "-c", CODE, sys.argv[1]]
                contestants.append(Contestant(name, command, 3, Path.cwd(), dict(__import__("os").environ)))
            print("ready", flush=True)
            play(contestants, rounds=10**9, warm_up=0)
        finally:
            for contestant in contestants:
                contestant.close()

endings.run(main)
"""


def is_running(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", SIGNALS)
def test_contestants_end_when_the_contest_is_signalled(tmp_path, number):
    command = [sys.executable, "-c", CONTEST, str(tmp_path)]
    parent = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "ready\n", parent.communicate()
    contestants = [int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()]
    assert len(contestants) == 2
    assert all(map(is_running, contestants))
    os.kill(parent.pid, number)
    _, error = parent.communicate(timeout=120)
    assert parent.returncode == (-number if number == signal.SIGKILL else 128 + number), error
    assert "Traceback" not in error
    deadline = time.monotonic() + 120
    while any(map(is_running, contestants)):
        assert time.monotonic() < deadline, "a contestant goes on"
        time.sleep(0.05)
    if number != signal.SIGKILL:
        assert not list(tmp_path.glob("place*"))
