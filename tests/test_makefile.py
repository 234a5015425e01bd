"""The installation that every target of the Makefile depends on; stand-ins replace Python and uv."""

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

#: replaces python3 and the venv's python; a file `broken` in its folder means that its packages are missing
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
#: writes its process id, then waits to be killed
HANGS = "echo $$ > waiting; exec sleep 600"


@pytest.fixture
def project(tmp_path):
    """A folder with the Makefile and stand-ins; the PATH holds only these and a few tools."""
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
    """Sets the modification time to so many seconds ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def start(project, *words, **variables):
    """Starts make with a target."""
    environment = {"PATH": str(project / "tools"), "PYTHON": "./python3", **variables}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([MAKE, *words], cwd=project, env=environment, start_new_session=True, **pipes)


def make(project, *words, **variables):
    """Runs make; returns its exit status and output."""
    process = start(project, *words, **variables)
    output, _ = process.communicate()
    return process.returncode, output


def read_log(project):
    """What the stand-ins have logged since the last call."""
    path = project / "log"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def with_uv(project):
    write(project / "tools" / "uv", UV)


READY = ".venv/.ready"


def test_pip_installs_without_uv(project):
    assert make(project, "train")[0] == 0
    assert read_log(project) == ["-m venv .venv", "pip", "train"]
    assert make(project, "train")[0] == 0
    assert read_log(project) == ["train"]


def test_uv_installs_and_downloads_no_python(project):
    with_uv(project)
    assert make(project, "train", UV_PYTHON_DOWNLOADS="automatic")[0] == 0
    assert read_log(project) == ["-m venv --without-pip .venv", "uv never", "train"]


@pytest.mark.parametrize("way", [{"words": ["PIP=pip"]}, {"PIP": "pip"}])
def test_pip_can_be_chosen(project, way):
    with_uv(project)
    assert make(project, READY, *way.pop("words", []), **way)[0] == 0
    assert read_log(project) == ["-m venv .venv", "pip"]


def test_uv_that_does_not_run_is_ignored(project):
    """Like the shims of version managers, which exist even if their program does not."""
    write(project / "tools" / "uv", "#!/bin/sh\necho no such command >&2\nexit 127\n")
    assert make(project, READY)[0] == 0
    assert read_log(project) == ["-m venv .venv", "pip"]


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_failed_installation_is_not_ready_and_is_repeated(project, installer):
    with_uv(project)
    write(project / "install", FAILS)
    assert make(project, "train", PIP=installer)[0] != 0
    assert not (project / READY).exists()
    assert "train" not in read_log(project)
    write(project / "install", WORKS)
    assert make(project, "train", PIP=installer)[0] == 0
    assert len(read_log(project)) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_interrupted_installation_is_not_ready_and_is_repeated(project, installer, number):
    with_uv(project)
    write(project / "install", HANGS)
    process = start(project, "train", PIP=installer)
    waiting = project / "waiting"
    while not (waiting.exists() and waiting.read_text().endswith("\n")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    pid = int(waiting.read_text())
    if number in (signal.SIGINT, signal.SIGHUP):
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    if number == signal.SIGKILL:  # no process is left to end the installer
        os.kill(pid, number)
    process.communicate()  # ends only when the installer, which writes to the same pipe, has ended, too
    assert process.returncode != 0
    assert not (project / READY).exists()
    write(project / "install", WORKS)
    read_log(project)
    assert make(project, "train", PIP=installer)[0] == 0
    assert len(read_log(project)) == 3


def test_failed_installation_of_new_requirements_is_not_ready(project):
    assert make(project, READY)[0] == 0
    age(project / READY, 50)
    (project / "requirements.txt").touch()
    write(project / "install", FAILS)
    assert make(project, "train")[0] != 0
    age(project / "requirements.txt", 100)  # as old as before
    read_log(project)
    assert make(project, "train")[0] != 0
    assert read_log(project) == ["-m venv .venv", "pip"]


def test_only_incomplete_packages_are_removed(project):
    assert make(project, READY)[0] == 0
    packages = project / ".venv" / "lib" / "python3.11" / "site-packages"
    for name, files in (("whole", ("INSTALLER", "RECORD")), ("torch", ("RECORD",)), ("numpy", ("INSTALLER",))):
        folder = packages / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        for file in files:
            (folder / file).write_text("something")
    (project / READY).unlink()
    assert make(project, READY)[0] == 0
    assert [path.name for path in packages.iterdir()] == ["whole-1.0.dist-info"]


def test_venv_without_its_python_is_recreated(project):
    assert make(project, READY)[0] == 0
    (project / ".venv" / "bin" / "python").unlink()
    (project / ".venv" / "bin" / "python").symlink_to("nowhere")
    (project / ".venv" / "old").touch()
    read_log(project)
    code, output = make(project, "train")
    assert code == 0, output
    assert read_log(project) == ["-m venv .venv", "pip", "train"]
    assert not (project / ".venv" / "old").exists()


def test_venv_with_packages_of_another_python_is_recreated(project):
    assert make(project, READY)[0] == 0
    (project / ".venv" / "bin" / "broken").touch()
    (project / ".venv" / "old").touch()
    read_log(project)
    assert make(project, "train")[0] == 0
    assert read_log(project) == ["-m venv .venv", "pip", "train"]
    assert not (project / ".venv" / "old").exists()


@pytest.mark.skipif(shutil.which("flock") is None, reason="there is no flock")
def test_concurrent_makes_install_one_after_another(project):
    write(project / "install", "test ! -e busy || exit 1; touch busy; sleep 0.1; rm busy\n" + WORKS)
    processes = [start(project, "train") for _ in range(3)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert (project / READY).exists()


def test_help_lists_every_documented_target(project):
    with (project / "Makefile").open("a") as file:
        file.write("\ntest-fast: $(READY)  ## the quick ones: no processes\n\ttrue\n\nhidden: ; true\n")
    code, output = make(project, "help")
    assert code == 0
    assert "test-fast     the quick ones: no processes\n" in output
    assert "clean         remove .venv" in output
    assert "hidden" not in output
    assert read_log(project) == []  # nothing is installed
