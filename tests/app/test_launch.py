"""The start of a command: Ctrl-C during the imports, and standard streams that are closed."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.processes

#: presses Ctrl-C at the n-th import of a command
INTERRUPTED = """
import os, runpy, signal, sys
left = int(sys.argv.pop(1))
def count(event, arguments):
    global left
    if event == "import":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)
sys.argv[:] = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.addaudithook(count)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
TRAIN = ["model.generator.hidden=[4]", "model.discriminator.hidden=[4]", "trainer=cpu", "trainer.max_steps=1"]


def interrupt(folder, number, script="train.py", *words):
    """The status and output of a command that is interrupted at an import."""
    command = [sys.executable, "-c", INTERRUPTED, str(number), str(REPOSITORY / script), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("number", [100, 300, 1200])  # the standard library, Hydra and torch
def test_ctrl_c_during_the_imports_is_one_line(tmp_path, number):
    status, output = interrupt(tmp_path, number, "train.py", *TRAIN)
    assert (status, output.strip()) == (130, "interrupted")


def test_closed_output_and_errors_disturb_no_training(tmp_path):
    """As with >&- and 2>&-; without the streams a file gets the number 1 or 2, and what is printed."""
    command = " ".join([f"'{sys.executable}' '{REPOSITORY / 'train.py'}'", *TRAIN, "output_dir=run", ">&- 2>&-"])
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=os.environ, timeout=300)
    assert done.returncode == 0
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert "done: 1 batch in " in log
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
