"""The page in headless Chromium, opened as a file: sorting, filtering, narrow windows and dark colors."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gan.app import report
from tests.conftest import composed

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files"),
    *("--enable-logging=stderr", "--virtual-time-budget=10000"),
)
# The page lies in a frame of the given width; the script has it as `page` and returns a value that JSON knows.
FRAME = """<!DOCTYPE html><meta charset="utf-8"><iframe src="{page}" style="width: {width}px; height: 800px"></iframe>
<pre>nothing</pre><script>
const frame = document.querySelector("iframe");
frame.onload = () => {{
  const page = frame.contentDocument, result = (() => {{ {script} }})();
  document.querySelector("pre").textContent = "RESULT" + JSON.stringify(result) + "END";
}};
</script>"""


@pytest.fixture
def browse(sweep: Path, tmp_path: Path) -> Callable[..., tuple[object, str]]:
    """Opens the sweep's page and runs a script on it; returns its result and the browser's console."""
    page = report.run(composed(f"run={sweep}", name="report"))

    def opened(script: str, *flags: str, width: int = 1200) -> tuple[object, str]:
        frame = tmp_path / "frame.html"
        frame.write_text(FRAME.format(page=page.as_uri(), width=width, script=script), encoding="utf-8")
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        ended = subprocess.run(
            [CHROMIUM, *FLAGS, *flags, profile, "--dump-dom", frame.as_uri()],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        console = "\n".join(line for line in ended.stderr.splitlines() if "CONSOLE" in line)
        return json.loads(ended.stdout.partition("RESULT")[2].partition("END")[0]), console

    return opened


FIRST = """
const first = () => [...page.querySelectorAll("tbody tr:not([hidden])")].map((row) => row.cells[0].innerText.trim());
const titles = [...page.querySelectorAll("thead button")];
"""


def test_columns_are_sorted_by_number_and_missing_values_are_last(browse):
    # titles: setting, seeds, value, raw, ema, ema (recall), warnings
    result, console = browse(
        FIRST
        + """
        const orders = [first()];
        for (const i of [0, 3, 3, 2]) { titles[i].click(); orders.push(first()); }
        return [orders, titles[2].parentElement.getAttribute("aria-sort"), titles.map((b) => b.innerText)];
        """
    )
    orders, direction, titles = result
    hinge, nonsaturating, lsgan = (f"loss={name}" for name in ("hinge", "nonsaturating", "lsgan"))
    assert titles == ["setting", "seeds", "value", "raw", "ema", "ema", "warnings"]
    assert orders[0] == [hinge, nonsaturating, lsgan]  # by rank
    assert orders[1] == [hinge, lsgan, nonsaturating]  # by name
    assert orders[2] == [nonsaturating, hinge, lsgan]  # raw: 21.5, 22.5, 23
    assert orders[3] == [lsgan, hinge, nonsaturating]
    assert orders[4] == [lsgan, hinge, nonsaturating]  # objective: 0.5, 1.1, 3.2
    assert direction == "ascending"
    assert console == ""


def test_filter_hides_rows_curves_and_samples(browse):
    result, console = browse(
        FIRST
        + """
        const filter = page.getElementById("filter");
        const type = (text) => { filter.value = text; filter.dispatchEvent(new Event("input")); };
        const visible = (selector) => [...page.querySelectorAll(selector)]
          .filter((part) => frame.contentWindow.getComputedStyle(part).display !== "none").length;
        const parts = () => [first(), visible(".panels .line"), visible("article"), visible(".keys span"),
          page.getElementById("shown").textContent];
        const found = [];
        for (const text of ["HINGE seed=2", "loss=n", "nothing", ""]) { type(text); found.push(parts()); }
        return found;
        """
    )
    assert result[0] == [["loss=hinge"], 3, 1, 1, "1 of 3 settings"]
    assert result[1][0] == ["loss=nonsaturating"]
    assert result[2] == [[], 0, 0, 0, "0 of 3 settings"]
    assert result[3] == [["loss=hinge", "loss=nonsaturating", "loss=lsgan"], 9, 3, 3, "3 of 3 settings"]
    assert console == ""


def test_one_generator_can_be_shown(browse):
    result, _ = browse(
        """
        const choice = page.getElementById("generator");
        const titles = () => [...page.querySelectorAll("thead tr:nth-child(2) th:not([hidden])")]
          .map((th) => th.innerText);
        const heads = () => [...page.querySelectorAll("thead tr:first-child th:not([hidden])")].map((th) => th.colSpan);
        const found = [];
        for (const name of ["raw", "ema", ""]) {
          choice.value = name; choice.dispatchEvent(new Event("change")); found.push([titles(), heads()]);
        }
        return found;
        """
    )
    assert result[0] == [["setting", "seeds", "value", "raw", "warnings"], [1, 1, 1, 1, 1]]
    assert result[1] == [["setting", "seeds", "value", "ema", "ema", "warnings"], [1, 1, 1, 1, 1, 1]]
    assert result[2] == [["setting", "seeds", "value", "raw", "ema", "ema", "warnings"], [1, 1, 1, 2, 1, 1]]


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_the_window(browse, width):
    result, _ = browse(
        """
        page.querySelectorAll("details").forEach((part) => { part.open = true; });
        const root = page.documentElement, box = page.querySelector(".box");
        const wide = [...page.querySelectorAll("body *")].filter((part) => !box.contains(part) || part === box)
          .filter((part) => part.getBoundingClientRect().right > root.clientWidth + 0.5)
          .map((part) => part.tagName + "." + part.className);
        return [root.scrollWidth - root.clientWidth, wide, box.scrollWidth > box.clientWidth];
        """,
        width=width,
    )
    assert result[:2] == [0, []]
    assert result[2] or width > 390  # the table scrolls in its own box


def test_texts_can_be_read_in_light_and_dark(browse):
    # the contrast ratio of WCAG 2
    script = """
    const luminance = (color) => { const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126*r + 0.7152*g + 0.0722*b; };
    const style = (part) => frame.contentWindow.getComputedStyle(part);
    const back = (part) => { while (part && /, 0\\)$|transparent/.test(style(part).backgroundColor))
      part = part.parentElement; return style(part).backgroundColor; };
    const ratio = (part) => { const both = [luminance(style(part).color), luminance(back(part))];
      return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05); };
    const texts = [...page.querySelectorAll("h1, h2, p, td, th button, figcaption, code, summary, small, footer, li")];
    return [Math.min(...texts.map(ratio)), luminance(style(page.documentElement).backgroundColor)];
    """
    light, _ = browse(script, "--blink-settings=preferredColorScheme=1")
    dark, _ = browse(script, "--blink-settings=preferredColorScheme=0")
    assert light[1] > 0.8
    assert dark[1] < 0.05
    assert min(light[0], dark[0]) > 4.5


def test_the_policy_of_the_page_stops_foreign_scripts(browse):
    result, console = browse(
        """
        const script = page.createElement("script");
        script.textContent = "document.body.dataset.ran = 1";
        page.body.append(script);
        return page.body.dataset.ran ?? "stopped";
        """
    )
    assert result == "stopped"
    assert "Content Security Policy" in console
