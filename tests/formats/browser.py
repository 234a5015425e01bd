"""Headless Chromium: what a page's scripts compute."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions"),
)


def evaluate(page: str, script: str, folder: Path) -> Any:
    """Loads a page, without a server, and runs a script in it afterwards.

    Args:
        page: the HTML.
        script: statements that end with ``return``.
        folder: for the page and the browser's profile.

    Returns:
        What the script returns, by way of JSON. Skips the test without Chromium.
    """
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium on this machine")
    appended = f"""<script>
        let answer;
        try {{ answer = {{ value: (() => {{ {script} }})() }}; }} catch (error) {{ answer = {{ error: error.stack }}; }}
        document.documentElement.innerHTML = "";
        document.body.textContent = "ANSWER" + JSON.stringify(answer) + "END";
    </script>"""
    file = folder / "page.html"
    file.write_text(page + appended, encoding="utf-8")
    command = [browser, *OPTIONS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    (text,) = re.findall(r"ANSWER(\{.*\})END", shown.stdout, re.DOTALL)
    answer = json.loads(html.unescape(text))
    assert "error" not in answer, answer["error"]
    return answer.get("value")
