"""Commands in README, docs and presets are accepted, and links lead to files."""

import re
import shlex

import pytest

from gan.app.command_line import CONF, check, parsed
from gan.app.quoting import quote_values
from tests.conftest import REPOSITORY

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
SCRIPTS = {f"{name}.py": name for name in ("train", "evaluate", "sample", "export", "report")}


def commands(text):
    """The commands of a text: in code blocks, in backquotes and in headers of presets; a backslash continues a line."""
    text = text.replace("\\\n", " ")
    found = re.findall(
        r"(?:^|`|Command: +)(?:\w+=\S+ )*python ((?:train|evaluate|sample|export|report)\.py[^`\n#]*)",
        text,
        re.MULTILINE,
    )
    return [command.strip() for command in found]


TEXTS = [*PAGES, *sorted((CONF / "experiment").glob("*.yaml"))]
ALL = sorted({(path.name, command) for path in TEXTS for command in commands(path.read_text(encoding="utf-8"))})


def test_commands_of_every_script_are_found():
    assert len(ALL) > 60
    assert {command.split()[0] for _, command in ALL} == set(SCRIPTS)


@pytest.mark.parametrize(("page", "command"), ALL)
def test_every_printed_command_is_accepted(page, command, monkeypatch):
    monkeypatch.setattr("gan.app.overrides.find_spec", lambda module: module)  # commands may need an extra
    script, *words = shlex.split(command)
    arguments = parsed(quote_values([word for word in words if word not in ("…", "...")]))
    if arguments.help or arguments.config_dir:
        return
    own = ("my.module", "my_", "penalty=drift", "=NAME", "least_squares", "pkg://")
    overrides = [word for word in arguments.overrides if not any(mark in word for mark in own) and "…" not in word]
    check(overrides, SCRIPTS[script], arguments.multirun)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
