"""Results of checks, and the report."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Outcome(StrEnum):
    """The outcome of a check."""

    PASSED = "pass"
    FAILED = "FAIL"
    SKIPPED = "skipped"  # it cannot run on this machine
    NOT_RUN = "not run"  # no time was left, or the user stopped it


@dataclass(frozen=True)
class Found:
    """The result of a completed check.

    Args:
        good: whether it passed.
        figures: the measurements, in one line.
        details: Markdown that follows the table.
    """

    good: bool
    figures: str
    details: str = ""


class Skip(Exception):
    """A check cannot run on this machine; the message says why."""


class OutOfTime(Exception):
    """The time for all checks has run out."""


class Failure(Exception):
    """A command failed; the message has its last lines."""


@dataclass
class Verdict:
    """A row of the report."""

    name: str
    outcome: Outcome
    figures: str
    commands: list[Sequence[str]] = field(default_factory=list)
    details: str = ""
    seconds: float = 0.0


def report(facts: dict[str, object], verdicts: Sequence[Verdict]) -> str:
    """The report as Markdown: the machine, a table of verdicts, their details and commands."""
    counts = {outcome: sum(v.outcome == outcome for v in verdicts) for outcome in Outcome}
    lines = [
        "# Self-check of the training on a GPU",
        "",
        ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
        + f" · {sum(v.seconds for v in verdicts):.0f} s · {time.strftime('%Y-%m-%d %H:%M %Z')}",
        "",
        *(f"- {name}: {fact}" for name, fact in facts.items()),
        "",
        "| check | verdict | s | what was seen |",
        "|---|---|--:|---|",
        *(f"| {v.name} | {v.outcome} | {v.seconds:.0f} | {cell(v.figures)} |" for v in verdicts),
    ]
    for verdict in verdicts:
        if verdict.details:
            lines += ["", f"## {verdict.name}", "", verdict.details]
    lines += ["", "## Commands", "", "```", *commands(verdicts), "```", ""]
    return "\n".join(lines)


def commands(verdicts: Sequence[Verdict]) -> list[str]:
    """The commands of each check, to copy and run."""
    lines = []
    for verdict in verdicts:
        if verdict.commands:
            lines += [f"# {verdict.name}", *(shown(words) for words in verdict.commands)]
    return lines


def shown(words: Sequence[str]) -> str:
    """A command as it would be typed in the repository."""
    return shlex.join(["python", *words[1:]])


def cell(text: str) -> str:
    """Escapes a text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def last_lines(text: str, count: int = 15) -> str:
    """The last lines of an output."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])


def write(path: Path, page: str) -> None:
    """Writes the page atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(page, encoding="utf-8")
    unfinished.replace(path)
