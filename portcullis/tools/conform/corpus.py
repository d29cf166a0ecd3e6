"""Where scenarios come from: corpora that are shipped, folders and files of the user's.

Owns finding and reading them. Must not know targets nor results.
"""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from importlib import resources
from pathlib import Path

from portcullis.tools.conform import def_reader, scenario_reader
from portcullis.tools.conform.scenario import SCENARIO_BYTES_MAX, Scenario, ScenarioError

SUFFIXES = (".def", ".scenario")
SHIPPED: dict[str, str] = {
    "fix44-session": "FIX 4.4 sessions: every numbered session test case",
    "fix44-orders": "Order entry over FIX 4.4: the order state tables of appendix D",
    "fix44-hostile": "Truncated, oversized, garbled and slow input over FIX 4.4",
    "soupbintcp": "SoupBinTCP 3.00 sessions, with OUCH 4.2 inside",
    "ouch42": "Order entry over OUCH 4.2",
    "moldudp64": "MoldUDP64 1.00: a stream by multicast, and retransmission on request",
    "certify-fix44": "For `certify`: a FIX 4.4 client is walked through",
}


class CorpusError(Exception):
    """A corpus that is not there; the text says what is."""


def shipped_folder(name: str) -> Path:
    """The folder of a corpus that comes with Portcullis."""
    return Path(str(resources.files(__package__) / "corpora" / name))


def load(name: str) -> list[Scenario]:
    """Scenarios of a shipped corpus, a folder or a file, in the order of their files' names.

    CorpusError where there is none, ScenarioError where one cannot be read.
    """
    path = shipped_folder(name) if name in SHIPPED else Path(name)
    label = name if name in SHIPPED else path.name
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES)
    else:
        raise CorpusError(
            f"no corpus, folder or file {name!r}; shipped are {', '.join(sorted(SHIPPED))}"
        )
    scenarios = []
    for file in files:
        if (size := file.stat().st_size) > SCENARIO_BYTES_MAX:
            raise CorpusError(f"{file}: {size} bytes, more than {SCENARIO_BYTES_MAX}")
        if file.suffix == ".def":
            scenarios.append(def_reader.read(file, label))
        elif file.suffix == ".scenario":
            scenarios += scenario_reader.read(file, label)
        else:
            raise CorpusError(f"{file}: expected a .def or .scenario file")
    if not scenarios:
        raise CorpusError(f"{name}: no .def or .scenario file in it")
    _refuse_same_names(scenarios)
    return scenarios


def chosen(scenarios: list[Scenario], patterns: tuple[str, ...]) -> list[Scenario]:
    """Those whose name, title, area or case fits a pattern (`*` and `?`); all without one."""
    if not patterns:
        return scenarios
    return [
        scenario
        for scenario in scenarios
        if any(
            fnmatch.fnmatch(text.lower(), pattern.lower())
            for pattern in patterns
            for text in (
                scenario.name,
                scenario.title,
                scenario.area,
                *scenario.fix_cases,
                *scenario.quickfix_cases,
            )
        )
    ]


def _refuse_same_names(scenarios: list[Scenario]) -> None:
    seen: dict[str, Scenario] = {}
    for place, scenario in enumerate(scenarios):
        other = seen.get(scenario.name)
        if other is not None and scenario.path.suffix == ".def":
            # Folders of different FIX versions hold files of the same names.
            name = f"{scenario.path.parent.name}/{scenario.name}"
            scenario = scenarios[place] = replace(scenario, name=name)
        elif other is not None:
            raise ScenarioError(
                scenario.path, scenario.line, f"{scenario.name} is also in {other.path}"
            )
        seen[scenario.name] = scenario
