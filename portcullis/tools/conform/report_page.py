"""A run as one HTML page that can be handed on: everything is in it, nothing is fetched.

Owns the page. Each failure stands by itself: the line of the scenario, what was expected and
received side by side, the rule behind it, and all that was said. Must not know how results were
found.
"""

from __future__ import annotations

from html import escape

from portcullis.tools.conform.matching import FieldCheck, Verdict
from portcullis.tools.conform.reports import by_area
from portcullis.tools.conform.results import Outcome, Result, Run

_STYLE = """
:root { --ink: #1c2430; --soft: #5b6675; --line: #d9dfe7; --paper: #fff; --ground: #f4f6f9;
  --good: #176b3a; --good-soft: #e3f4ea; --bad: #a3211c; --bad-soft: #fdeceb; --skip: #7a5a00;
  --skip-soft: #fdf4dc; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #333d4a;
  --paper: #1b222b; --ground: #12171e; --good: #7bd6a0; --good-soft: #16341f; --bad: #ff9d97;
  --bad-soft: #401a19; --skip: #f0cd74; --skip-soft: #3a2f10; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; }
p { margin: .4rem 0; }
.soft { color: var(--soft); }
.badge { display: inline-block; padding: .05rem .5rem; border-radius: 1rem; font-size: .8rem;
  font-weight: 600; white-space: nowrap; }
.passed { color: var(--good); background: var(--good-soft); }
.failed { color: var(--bad); background: var(--bad-soft); }
.skipped { color: var(--skip); background: var(--skip-soft); }
.verdict { display: flex; gap: 1.5rem; align-items: center; flex-wrap: wrap; margin: 1.25rem 0;
  padding: 1rem 1.25rem; background: var(--paper); border: 1px solid var(--line);
  border-left: .4rem solid var(--good); border-radius: .4rem; }
.verdict.bad { border-left-color: var(--bad); }
.verdict b { font-size: 1.5rem; }
table { width: 100%; border-collapse: collapse; background: var(--paper);
  border: 1px solid var(--line); }
th, td { text-align: left; padding: .4rem .7rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { font-size: .8rem; color: var(--soft); font-weight: 600; }
th { overflow-wrap: normal; }
th.number { text-align: right; }
a { color: inherit; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, pre, .wire td { font-family: ui-monospace, "DejaVu Sans Mono", monospace;
  font-size: .85rem; }
.failure { background: var(--paper); border: 1px solid var(--line); border-radius: .4rem;
  margin: 1rem 0; padding: 1rem 1.25rem; border-left: .4rem solid var(--bad); }
.failure table { margin: .75rem 0; }
.step { display: block; margin: .5rem 0; padding: .4rem .6rem; background: var(--ground);
  overflow-wrap: anywhere; }
.wire { table-layout: fixed; }
.wire th:last-child { width: 6.5rem; }
tr.wrong td { background: var(--bad-soft); }
tr.wrong td:first-child { color: var(--bad); font-weight: 600; }
details { margin: .5rem 0 0; }
summary { cursor: pointer; color: var(--soft); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--ground);
  padding: .6rem .8rem; margin: .5rem 0 0; }
@media (max-width: 40rem) { th, td { padding: .3rem .4rem; } main { padding: 1rem .5rem 3rem; }
  .wire th:last-child { width: 4.5rem; } }
@media print { body { background: #fff; } main { max-width: none; padding: 0; }
  .failure { break-inside: avoid; } }
"""

_SHOWN = {Verdict.OK: "", Verdict.NOT_COMPARED: "not compared"}


def page(run: Run) -> str:
    """The whole page."""
    failed = [result for result in run.results if result.outcome is Outcome.FAILED]
    skipped = [result for result in run.results if result.outcome is Outcome.SKIPPED]
    parts = [_verdict(run), _areas(run)]
    if failed:
        parts.append("<h2>What fell</h2>")
        parts += [_failure(result) for result in failed]
    if skipped:
        parts.append(_not_run(skipped))
    parts.append("<h2>All scenarios</h2>")
    parts += [_area_table(area, results) for area, results in by_area(run).items()]
    title = f"Conformance of {escape(run.target)}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body><main>"
        f'<h1>{title}</h1><p class="soft">{escape(run.started_at)}, {run.seconds:.1f} s,'
        f" grade {escape(run.grade)}</p>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )


def _verdict(run: Run) -> str:
    passed, failed = run.count(Outcome.PASSED), run.count(Outcome.FAILED)
    skipped = run.count(Outcome.SKIPPED)
    words = f"All {passed} scenarios hold" if not failed else f"{failed} of {passed + failed} fall"
    return (
        f'<div class="verdict{" bad" if failed else ""}"><b>{words}</b>'
        f'<span class="badge passed">{passed} hold</span>'
        f'<span class="badge failed">{failed} fall</span>'
        f'<span class="badge skipped">{skipped} not run</span></div>'
    )


def _areas(run: Run) -> str:
    rows = []
    for area, results in by_area(run).items():
        count = {outcome: sum(r.outcome is outcome for r in results) for outcome in Outcome}
        verdict = Outcome.FAILED if count[Outcome.FAILED] else Outcome.PASSED
        if not count[Outcome.PASSED] and not count[Outcome.FAILED]:
            verdict = Outcome.SKIPPED
        rows.append(
            f'<tr><td><a href="#{_anchor(area)}">{escape(area)}</a></td>'
            f'<td class="number">{count[Outcome.PASSED]}</td>'
            f'<td class="number">{count[Outcome.FAILED]}</td>'
            f'<td class="number">{count[Outcome.SKIPPED]}</td><td>{_badge(verdict)}</td></tr>'
        )
    return (
        '<table id="areas"><tr><th>Area</th><th class="number">hold</th>'
        '<th class="number">fall</th><th class="number">not run</th><th></th>'
        "</tr>" + "".join(rows) + "</table>"
    )


def _failure(result: Result) -> str:
    scenario, failure = result.scenario, result.failure
    assert failure is not None
    rule = f"<p><b>Rule.</b> {escape(scenario.rule)}</p>" if scenario.rule else ""
    return (
        f'<section class="failure" id="{_anchor(scenario.corpus + scenario.name)}">'
        f"<h3>{escape(scenario.title)}</h3>"
        f'<p class="soft">{escape(scenario.name)} {escape(_cases(result))}</p>'
        f"<p><b>{escape(_sentence(failure.what))}</b></p>"
        f'<p class="soft">Line {failure.line} of {escape(scenario.path.name)}:</p>'
        f'<code class="step">{escape(failure.step)}</code>'
        f"{_fields(failure.checks)}{rule}{_transcript(result)}</section>"
    )


def _fields(checks: tuple[FieldCheck, ...]) -> str:
    if not checks:
        return ""
    rows = "".join(
        f"<tr{'' if check.holds else ' class=wrong'}><td>{escape(check.name)}</td>"
        f"<td>{escape(check.expected)}</td><td>{escape(check.received)}</td>"
        f"<td>{escape(_SHOWN.get(check.verdict, check.verdict.value))}</td></tr>"
        for check in checks
    )
    return (
        '<table class="wire"><tr><th>Field</th><th>Expected</th><th>Received</th><th></th></tr>'
        f"{rows}</table>"
    )


def _transcript(result: Result) -> str:
    arrows = {">": "sent    ", "<": "received", "-": "        ", "!": "to do   "}
    lines = "\n".join(
        f"{line.at_s:8.3f} {line.client} {arrows[line.direction]} {line.text}"
        for line in result.transcript
    )
    return (
        f"<details><summary>All that was said ({len(result.transcript)} lines)</summary>"
        f"<pre>{escape(lines)}</pre></details>"
    )


def _not_run(skipped: list[Result]) -> str:
    rows = "".join(
        f"<tr><td>{escape(result.scenario.title)}<br>"
        f'<span class="soft">{escape(result.scenario.name)} {escape(_cases(result))}</span></td>'
        f"<td>{escape(result.reason)}</td></tr>"
        for result in skipped
    )
    return f"<h2>What was not run</h2><table><tr><th>Scenario</th><th>Why</th></tr>{rows}</table>"


def _area_table(area: str, results: list[Result]) -> str:
    rows = []
    for result in results:
        title = escape(result.scenario.title)
        if result.failure is not None:
            anchor = _anchor(result.scenario.corpus + result.scenario.name)
            title = f'<a href="#{anchor}">{title}</a>'
        rows.append(
            f"<tr><td>{_badge(result.outcome)}</td><td>{title}"
            f'<br><span class="soft">{escape(result.scenario.name)}</span></td>'
            f"<td>{escape(_cases(result))}</td>"
            f'<td class="number">{result.seconds:.2f} s</td></tr>'
        )
    return (
        f'<h3 id="{_anchor(area)}" style="margin:1.5rem 0 .5rem">{escape(area)}</h3>'
        "<table><tr><th></th><th>Scenario</th><th>Cases</th><th>Time</th></tr>"
        + "".join(rows)
        + "</table>"
    )


def _badge(outcome: Outcome) -> str:
    words = {Outcome.PASSED: "holds", Outcome.FAILED: "falls", Outcome.SKIPPED: "not run"}
    return f'<span class="badge {outcome.value}">{words[outcome]}</span>'


def _cases(result: Result) -> str:
    scenario = result.scenario
    cases = [f"FIX {case}" for case in scenario.fix_cases]
    cases += [f"QuickFIX {case}" for case in scenario.quickfix_cases]
    return ", ".join(cases)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _anchor(text: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in text)
