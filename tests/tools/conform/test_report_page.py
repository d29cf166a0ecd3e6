"""The report for people, in a real browser: it says what it must, and fits the window."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from portcullis.tools.conform import corpus
from portcullis.tools.conform.matching import FieldCheck, Verdict
from portcullis.tools.conform.report_page import page
from portcullis.tools.conform.results import Failure, Line, Outcome, Result, Run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Writes what the window makes of the page into the document.
MEASURE = """<script>
const wide = [...document.querySelectorAll("*")].filter(
  one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1);
document.body.insertAdjacentHTML("beforeend", `<p id="measured">${wide.length} too wide,
${document.querySelectorAll(".failure").length} failures,
${getComputedStyle(document.querySelector("tr.wrong td")).backgroundColor}</p>`);
</script></body>"""


def a_run() -> Run:
    """One scenario fell, one was not run, the others hold."""
    scenarios = corpus.load("fix44-session")
    results = [Result(scenario, Outcome.PASSED, 0.1) for scenario in scenarios]
    checks = (
        FieldCheck("MsgType(35)", "5", "5", Verdict.OK),
        FieldCheck("Text(58)", "MsgSeqNum too low", "<b>" + "long " * 60, Verdict.DIFFERS),
        FieldCheck("MsgSeqNum(34)", "2" * 90, "", Verdict.MISSING),
    )
    failure = Failure(40, "expect Logout 58=MsgSeqNum too low", "the Logout(5) differs", checks)
    said = [Line(0.001, "A", ">", "8=FIX.4.4|9=63|35=A|" + "58=x|" * 60), Line(0.2, "A", "-", "x")]
    results[3] = Result(scenarios[3], Outcome.FAILED, 1.5, failure, transcript=said)
    results[4] = Result(scenarios[4], Outcome.SKIPPED, reason="needs moon")
    return Run("venue.example:9878", "strict", "2026-11-21 04:00:00 UTC", 4.2, results)


def test_a_page_without_failures_says_so() -> None:
    run = a_run()
    run.results = run.results[:3]
    text = page(run)
    assert "All 3 scenarios hold" in text
    assert "What fell" not in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
@pytest.mark.parametrize("width", [1200, 500])
def test_a_browser_shows_each_failure_within_the_window(tmp_path: Path, width: int) -> None:
    assert CHROMIUM is not None
    file, picture = tmp_path / "report.html", tmp_path / "report.png"
    file.write_text(page(a_run()).replace("</body>", MEASURE), "utf-8")
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},2000",
    ]  # fmt: skip
    shown = subprocess.run(
        [*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=300
    )
    # The last: the script that writes it is in the document, too.
    measured = re.findall(r'id="measured">([^<]*)<', shown.stdout)[-1]
    assert measured.split(",\n")[:2] == ["0 too wide", "1 failures"]
    assert "rgba(0, 0, 0, 0)" not in measured
    assert "&lt;b&gt;long" in shown.stdout
    if width < 1000:
        return
    subprocess.run(
        [*command, f"--screenshot={picture}", file.as_uri()],
        capture_output=True,
        timeout=300,
        check=True,
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
