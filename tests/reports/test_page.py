"""The page as HTML: its numbers, and that no text from a file becomes markup."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import gan
from gan.app import report
from gan.core.errors import UserError
from tests.conftest import REPOSITORY, composed
from tests.reports.conftest import DONE, scored, write_job

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


class Page(HTMLParser):
    """The elements of a page, with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag == "table":
            self.rows.append([])

    def handle_data(self, data):
        self.texts.append(data)
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def written(folder: Path, *words: str) -> str:
    return report.run(composed(f"run='{folder}'", *words, name="report")).read_text(encoding="utf-8")


def test_table_shows_mean_and_error_over_seeds_and_floors(sweep):
    page = Page(written(sweep))
    head, floors, *rows = page.rows[1:-1]
    assert head == ["setting", "seeds", "value", "raw", "ema", "ema", "warnings"]
    assert floors == ["floor", "", "", "1.5", "1.5", "", ""]
    assert [row[0] for row in rows] == ["loss=hinge", "loss=nonsaturating", "loss=lsgan"]
    for row, i, objective in zip(rows, (1, 0), ([1.0, 1.2], [3.0, 3.4]), strict=False):
        raw, ema = [20.0 + i + seed for seed in (1, 2)], [10.0 + i + 0.5 * seed for seed in (1, 2)]
        for cell, values in zip(row[2:5], (objective, raw, ema), strict=True):
            mean, error = (float(number) for number in cell.split(" ± "))
            assert mean == pytest.approx(np.mean(values), abs=0.005)
            assert error == pytest.approx(np.std(values, ddof=1) / np.sqrt(2), rel=0.05)
    assert rows[2][1:5] == ["1of 2", "0.51 of 2", "231 of 2", "12.51 of 2"]
    assert rows[0][-1] == "2"  # warnings


def test_page_has_best_setting_failures_warnings_and_commands(sweep):
    text = written(sweep)
    assert "python train.py -m loss=hinge seed=1,2" in text
    assert "best: 9.4 standard errors ahead of loss=nonsaturating" in text
    assert "1 of 6 jobs did not finish" in text
    assert "loss/generator is NaN." in text
    assert "2: iteration 50: mode collapse: one image." in text
    assert text.count("data:image/png;base64,") == 3
    assert text.count('role="img"') == 3  # loss/generator, D(x), valid/fid/ema


def test_page_needs_no_other_file(sweep):
    page = Page(written(sweep))
    for tag, attributes in page.tags:
        assert not attributes.get("src", "data:").startswith(("http", "/", "file")), tag
        assert attributes.get("href", "#").startswith("#"), tag
        assert tag not in ("link", "iframe", "object")
    (policy,) = (a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_texts_from_files_are_escaped(tmp_path):
    folder = tmp_path / "<script>alert(0)" / "sweep"
    log = DONE + f"2026-01-02 03:04:05,678 WARNING iteration 1: {EVIL}\n"
    for i in range(2):
        scores = [scored(EVIL, "ema", 1.0, unit=EVIL, features=EVIL), scored(EVIL, EVIL, 2.0)]
        job = write_job(folder / f"{i}<b>", f"loss={EVIL}", f"{EVIL}={i}", f"k={i + 1}", scores=scores, log=log)
        (job / "outcome.json").write_text('{"objective": 1.0, "finished": true}', encoding="utf-8")
    lost = write_job(folder / f"2{EVIL}".replace("/", "⁄"), log=f"2026-01-02 03:04:05,678 ERROR {EVIL}\n")
    (lost / "metrics.json").write_text(EVIL, encoding="utf-8")
    curves = {EVIL: [1.0, 2.0]}
    write_job(folder / "3", "k=4", curves=curves)
    page = Page(written(folder, "curves=['*']"))
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert all(attributes["src"].startswith("data:") for tag, attributes in page.tags if tag == "img")
    assert not any(tag == "b" and attributes for tag, attributes in page.tags)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "".join(page.texts).count("<script>alert(1)</script>") > 8  # all are shown as text


def test_a_run_without_scores_curves_and_samples_still_has_a_page(make_job):
    text = written(make_job("0", "loss=hinge", gray=None))
    assert "No scores yet; python evaluate.py run=" in text
    assert "Without curves (logger=none, or not yet written): 0." in text
    assert "No sample grid." in text
    assert "python train.py loss=hinge" in text
    assert "First in the ranking" not in text


def test_floors_that_differ_stand_in_the_cells(make_job, tmp_path):
    for i in (1, 2):
        make_job(str(i), f"k={i}", scores=[scored("fid", "ema", 10.0 * i), scored("fid", "floor", float(i))])
    rows = Page(written(tmp_path / "sweep")).rows
    assert [row[-1] for row in rows if row and row[0].startswith("k=")] == ["10floor 1", "20floor 2"]


def test_floors_that_differ_by_rounding_are_one(make_job, tmp_path):
    for i in (1, 2):
        make_job(str(i), f"k={i}", scores=[scored("fid", "ema", 10.0), scored("fid", "floor", 1.5 + i * 1e-9)])
    assert ["floor", "", "", "1.5"] in Page(written(tmp_path / "sweep")).rows


def test_several_swept_keys_have_a_column_each(make_job, tmp_path):
    for i, words in enumerate([("k=1", "g_steps=1"), ("k=2", "g_steps=1"), ("k=2", "g_steps=3")]):
        make_job(str(i), *words)
    rows = Page(written(tmp_path / "sweep")).rows
    assert rows[1][:3] == ["setting", "k", "g_steps"]
    assert [row[1:3] for row in rows[2:5]] == [["1", "1"], ["2", "1"], ["2", "3"]]


def test_damaged_files_are_named_in_the_page_and_on_the_terminal(sweep, command, tmp_path):
    (sweep / "0" / ".hydra" / "config.yaml").write_text("a: [", encoding="utf-8")
    (sweep / "1" / "metrics.json").write_text("[", encoding="utf-8")
    (sweep / "2" / "samples" / "step=0000100_ema.png").write_bytes(b"")
    status, output = command("report.py", tmp_path, "run=sweep")
    assert status == 0, output
    text = (sweep / "report.html").read_text(encoding="utf-8")
    for part in (
        "sweep/0/.hydra/config.yaml is not a YAML file",
        "metrics.json is not a list of records",
        "png cannot be read",
    ):
        assert part in text
        assert part in output


def test_command_prints_the_best_setting_and_the_path(sweep, command, tmp_path):
    status, output = command("report.py", tmp_path, "run=sweep", "file=page/own.html")
    assert status == 0, output
    assert "6 runs, 3 settings, 1 not finished" in output
    ahead = "best: 9.4 standard errors ahead of loss=nonsaturating"
    assert f"loss=hinge  objective 1.10 ± 0.10\n  {ahead}\n  python train.py -m loss=hinge seed=1,2\n" in output
    assert ahead in Page((tmp_path / "page" / "own.html").read_text(encoding="utf-8")).texts
    assert "→ page/own.html" in output
    assert (tmp_path / "page" / "own.html").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["better=low"], "better must be lower, higher or null, got low"),
        (["best_by=fid"], "best_by=fid: no run has this number"),
        (["curves=loss"], "curves must be a list"),
        (["file=taken/page.html"], "page.html cannot be written"),
    ],
)
def test_wrong_options_are_one_clear_line(sweep, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(UserError, match=message):
        written(sweep, *words)


def test_python_function_writes_the_same_page(sweep, tmp_path):
    path = gan.report(sweep, tmp_path / "own.html", best_by="frechet_distance/raw")
    assert path == tmp_path / "own.html"
    assert "Chosen by scores on the test images" in path.read_text(encoding="utf-8")


@pytest.mark.processes
def test_report_imports_no_torch(sweep):
    code = (
        f"import sys, runpy; sys.argv = ['report.py', 'run={sweep}']\n"
        f"runpy.run_path({str(REPOSITORY / 'report.py')!r}, run_name='__main__')\n"
        "assert not {'torch', 'pytorch_lightning', 'sklearn'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=sweep, check=False)
    assert done.returncode == 0, done.stderr
    assert (sweep / "report.html").is_file()
