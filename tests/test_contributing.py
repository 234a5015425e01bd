"""The example of CONTRIBUTING.md works as printed."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = re.findall(r"^`(my_gan/[\w/.]+)`[^\n]*\n\n```\w+\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line for line in re.search(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[1].splitlines() if line]


def test_example_has_a_class_a_configuration_and_a_test():
    assert [name for name, _ in FILES] == [
        "my_gan/losses.py",
        "my_gan/conf/loss/least_squares.yaml",
        "my_gan/penalties.py",
        "my_gan/conf/penalty/drift.yaml",
        "my_gan/test_losses.py",
    ]
    assert len(COMMANDS) == 3


@pytest.mark.processes
@pytest.mark.slow
def test_example_works_as_printed(tmp_path):
    for name, text in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path]), "OMP_NUM_THREADS": "1"}
    for command in COMMANDS:
        setting, python, *words = shlex.split(command)
        assert (setting, python) == ("PYTHONPATH=.", "python")
        words = [str(REPOSITORY / word) if (REPOSITORY / word).is_file() else word for word in words]
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "frechet_distance" in done.stdout + done.stderr


def test_files_and_classes_in_the_table_exist():
    from hydra.utils import get_object

    rows = re.findall(r"^\| [\w ,()]+ \| (`[^|]+`) \| `([\w/]+)/NAME.py` \| (.+) \|$", TEXT, re.MULTILINE)
    assert len(rows) >= 11
    for classes, folder, files in rows:
        assert (REPOSITORY / "src" / "gan" / folder).is_dir()
        package = ""
        for name in re.findall(r"`([\w.]+)`", classes):
            prefix, _, last = name.rpartition(".")
            package = prefix or package
            full = f"{package}.{last}"
            get_object(full if full.startswith(("torch", "pytorch_lightning")) else f"gan.{full}")
        for group in re.findall(r"`conf/([\w/]+)/NAME.yaml`", files):
            assert (REPOSITORY / "conf" / group).is_dir() or group == "constraint"
