"""A run as files: JUnit for a build server, JSON for programs. For people: `report_page`.

Must not know how results were found.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import asdict
from typing import Any

from portcullis.tools.conform.results import Failure, Outcome, Result, Run
from portcullis.tools.conform.wire import printable

# Characters of a value in a failure's text; the JSON has all.
VALUE_MAX = 300


def junit(run: Run) -> str:
    """One suite an area, one case a scenario; a failure's text can be read by itself."""
    root = ET.Element("testsuites", name=f"conformance of {run.target}")
    for area, results in by_area(run).items():
        suite = ET.SubElement(
            root, "testsuite", name=area, tests=str(len(results)),
            failures=str(_count(results, Outcome.FAILED)),
            skipped=str(_count(results, Outcome.SKIPPED)),
            time=f"{sum(result.seconds for result in results):.3f}",
        )  # fmt: skip
        for result in results:
            scenario = result.scenario
            case = ET.SubElement(
                suite, "testcase", name=f"{scenario.name} {scenario.title}",
                classname=f"{scenario.corpus}.{area}", file=scenario.path.name,
                line=str(scenario.line), time=f"{result.seconds:.3f}",
            )  # fmt: skip
            if result.failure is not None:
                failure = ET.SubElement(case, "failure", message=_xml(result.failure.what))
                failure.text = _xml(failure_text(result, result.failure))
            elif result.outcome is Outcome.SKIPPED:
                ET.SubElement(case, "skipped", message=result.reason)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def as_json(run: Run) -> str:
    """All that is known of the run; the keys are those of `results`."""
    document: dict[str, Any] = {
        "target": run.target,
        "grade": run.grade,
        "started_at": run.started_at,
        "seconds": round(run.seconds, 3),
        "passed": run.count(Outcome.PASSED),
        "failed": run.count(Outcome.FAILED),
        "skipped": run.count(Outcome.SKIPPED),
        "scenarios": [_scenario(result) for result in run.results],
    }
    return json.dumps(document, indent=1) + "\n"


def by_area(run: Run) -> dict[str, list[Result]]:
    """Results by area, in the order of the corpus."""
    areas: dict[str, list[Result]] = {}
    for result in run.results:
        areas.setdefault(result.scenario.area or result.scenario.corpus, []).append(result)
    return areas


def failure_text(result: Result, failure: Failure) -> str:
    """A failure in lines: where, what, the fields that differ, the rule."""
    where = f"{result.scenario.path.name}:{failure.line}"
    lines = [f"{where}: {failure.step}", *map(printable, failure.what.splitlines())]
    for check in failure.checks:
        if not check.holds:
            expected, received = _short(check.expected), _short(check.received)
            lines.append(f"  {check.name}: expected {expected}, received {received}")
    if result.scenario.rule:
        lines.append(f"Rule: {result.scenario.rule}")
    return "\n".join(lines)


def _short(value: str) -> str:
    """A value for a terminal, not longer than anybody reads."""
    shown = printable(value[:VALUE_MAX]) + "..." * (len(value) > VALUE_MAX)
    return shown or "(absent)"


def _scenario(result: Result) -> dict[str, Any]:
    scenario = result.scenario
    return {
        "corpus": scenario.corpus,
        "name": scenario.name,
        "title": scenario.title,
        "area": scenario.area,
        "fix_cases": list(scenario.fix_cases),
        "quickfix_cases": list(scenario.quickfix_cases),
        "rule": scenario.rule,
        "file": scenario.path.name,
        "line": scenario.line,
        "outcome": result.outcome.value,
        "seconds": round(result.seconds, 3),
        "reason": result.reason,
        "failure": asdict(result.failure) if result.failure else None,
        "transcript": [asdict(line) for line in result.transcript],
    }


def _count(results: list[Result], outcome: Outcome) -> int:
    return sum(result.outcome is outcome for result in results)


def _xml(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(char if char >= " " or char in "\n\t" else "?" for char in text)
