"""The installation that every target of the Makefile begins with; stand-ins for Python and uv install nothing."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.conftest import REPOSITORY

MAKE = shutil.which("make")
TOOLS = ("sh", "awk", "cat", "cp", "flock", "kill", "ls", "mkdir", "mkfifo", "rm", "sleep", "test", "touch", "true")

pytestmark = [pytest.mark.processes, pytest.mark.skipif(MAKE is None, reason="there is no make")]

#: for python3 and for the venv's python, in whose folder a file `broken` says that its packages are not there
PYTHON = """#!/bin/sh
case "$*" in
    *"-m venv"*) echo "$*" >> log; mkdir -p .venv/bin; cp python3 .venv/bin/python; rm -f .venv/bin/broken ;;
    *"-m pip install"*) echo pip >> log; . ./install ;;
    *"import gan"*) test -e .venv/installed -a ! -e .venv/bin/broken ;;
    *purelib*) test ! -e .venv/bin/broken ;;
    *train.py*) echo train >> log ;;
esac
"""
UV = """#!/bin/sh
case "$1" in
    --version) echo uv ;;
    pip) echo "uv $UV_PYTHON_DOWNLOADS" >> log; . ./install ;;
esac
"""
WORKS = "echo installed > .venv/installed"
FAILS = "exit 1"
#: says that it is there, then waits to be ended
HANGS = "echo $$ > waiting; exec sleep 600"


@pytest.fixture
def house(tmp_path):
    """A folder with the Makefile and stand-ins, in which nothing is on the PATH but they and a few tools."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    for name in ("requirements.txt", "pyproject.toml", "train.py"):
        (tmp_path / name).touch()
        age(tmp_path / name, 100)
    write(tmp_path / "python3", PYTHON)
    write(tmp_path / "install", WORKS)
    return tmp_path


def write(path, text):
    path.write_text(text)
    path.chmod(0o755)


def age(path, seconds):
    """Makes it as old as that."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def start(house, *words, **variables):
    """Starts make with one of its targets."""
    environment = {"PATH": str(house / "tools"), "PYTHON": "./python3", **variables}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([MAKE, *words], cwd=house, env=environment, start_new_session=True, **pipes)


def make(house, *words, **variables):
    """Runs make; returns its exit status and what it said."""
    process = start(house, *words, **variables)
    output, _ = process.communicate()
    return process.returncode, output


def log(house):
    """What the stand-ins have done since the last time."""
    path = house / "log"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def with_uv(house):
    write(house / "tools" / "uv", UV)


READY = ".venv/.ready"


def test_without_uv_it_is_pip(house):
    assert make(house, "train")[0] == 0
    assert log(house) == ["-m venv .venv", "pip", "train"]
    assert make(house, "train")[0] == 0
    assert log(house) == ["train"]


def test_uv_installs_where_it_is_found_and_fetches_no_python(house):
    with_uv(house)
    assert make(house, "train", UV_PYTHON_DOWNLOADS="automatic")[0] == 0
    assert log(house) == ["-m venv --without-pip .venv", "uv never", "train"]


@pytest.mark.parametrize("way", [{"words": ["PIP=pip"]}, {"PIP": "pip"}])
def test_pip_can_be_asked_for(house, way):
    with_uv(house)
    assert make(house, READY, *way.pop("words", []), **way)[0] == 0
    assert log(house) == ["-m venv .venv", "pip"]


def test_a_uv_that_does_not_run_is_none(house):
    """As the shims of version managers, which are there whether or not what they stand for is."""
    write(house / "tools" / "uv", "#!/bin/sh\necho no such command >&2\nexit 127\n")
    assert make(house, READY)[0] == 0
    assert log(house) == ["-m venv .venv", "pip"]


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_what_failed_is_not_ready_and_is_begun_again(house, installer):
    with_uv(house)
    write(house / "install", FAILS)
    assert make(house, "train", PIP=installer)[0] != 0
    assert not (house / READY).exists()
    assert "train" not in log(house)
    write(house / "install", WORKS)
    assert make(house, "train", PIP=installer)[0] == 0
    assert len(log(house)) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_what_was_broken_off_is_not_ready_and_is_begun_again(house, installer, number):
    with_uv(house)
    write(house / "install", HANGS)
    process = start(house, "train", PIP=installer)
    waiting = house / "waiting"
    while not (waiting.exists() and waiting.read_text().endswith("\n")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    pid = int(waiting.read_text())
    if number in (signal.SIGINT, signal.SIGHUP):
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    if number == signal.SIGKILL:  # nobody is left to end the installer
        os.kill(pid, number)
    process.communicate()  # the installer, which would write to the same pipe, has ended as well
    assert process.returncode != 0
    assert not (house / READY).exists()
    write(house / "install", WORKS)
    log(house)
    assert make(house, "train", PIP=installer)[0] == 0
    assert len(log(house)) == 3


def test_a_change_of_the_requirements_whose_installation_fails_does_not_count_as_ready(house):
    assert make(house, READY)[0] == 0
    age(house / READY, 50)
    (house / "requirements.txt").touch()
    write(house / "install", FAILS)
    assert make(house, "train")[0] != 0
    age(house / "requirements.txt", 100)  # as old as it was, and yet
    log(house)
    assert make(house, "train")[0] != 0
    assert log(house) == ["-m venv .venv", "pip"]


def test_packages_that_were_broken_off_are_installed_anew_and_the_whole_ones_stay(house):
    assert make(house, READY)[0] == 0
    packages = house / ".venv" / "lib" / "python3.11" / "site-packages"
    for name, files in (("whole", ("INSTALLER", "RECORD")), ("torch", ("RECORD",)), ("numpy", ("INSTALLER",))):
        folder = packages / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        for file in files:
            (folder / file).write_text("something")
    (house / READY).unlink()
    assert make(house, READY)[0] == 0
    assert [path.name for path in packages.iterdir()] == ["whole-1.0.dist-info"]


def test_a_venv_whose_python_is_gone_is_made_anew(house):
    assert make(house, READY)[0] == 0
    (house / ".venv" / "bin" / "python").unlink()
    (house / ".venv" / "bin" / "python").symlink_to("nowhere")
    (house / ".venv" / "old").touch()
    log(house)
    code, output = make(house, "train")
    assert code == 0, output
    assert log(house) == ["-m venv .venv", "pip", "train"]
    assert not (house / ".venv" / "old").exists()


def test_a_venv_whose_packages_are_another_python_s_is_made_anew(house):
    assert make(house, READY)[0] == 0
    (house / ".venv" / "bin" / "broken").touch()
    (house / ".venv" / "old").touch()
    log(house)
    assert make(house, "train")[0] == 0
    assert log(house) == ["-m venv .venv", "pip", "train"]
    assert not (house / ".venv" / "old").exists()


@pytest.mark.skipif(shutil.which("flock") is None, reason="there is no flock")
def test_two_makes_at_a_time_take_turns(house):
    write(house / "install", "test ! -e busy || exit 1; touch busy; sleep 0.1; rm busy\n" + WORKS)
    processes = [start(house, "train") for _ in range(3)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert (house / READY).exists()


def test_help_lists_every_target_that_says_what_it_does(house):
    with (house / "Makefile").open("a") as file:
        file.write("\ntest-fast: $(READY)  ## the quick ones: no processes\n\ttrue\n\nhidden: ; true\n")
    code, output = make(house, "help")
    assert code == 0
    assert "test-fast     the quick ones: no processes\n" in output
    assert "clean         remove .venv" in output
    assert "hidden" not in output
    assert log(house) == []  # and installs nothing
