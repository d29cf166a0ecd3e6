"""What a run found: one result a scenario, with all that a report says about it.

Owns data. Must not know how it was found nor how it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from portcullis.tools.conform.matching import FieldCheck
from portcullis.tools.conform.scenario import Scenario


class Outcome(StrEnum):
    """What became of a scenario."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript, seconds from the start.

    direction: ">" sent, "<" received, "!" what a person is to do, "-" else.
    """

    at_s: float
    client: str
    direction: str
    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a scenario fell: line and text of the step, what happened, and the fields compared."""

    line: int
    step: str
    what: str
    checks: tuple[FieldCheck, ...] = ()


@dataclass(slots=True)
class Result:
    """One scenario's result. reason: why it was skipped."""

    scenario: Scenario
    outcome: Outcome
    seconds: float = 0.0
    failure: Failure | None = None
    reason: str = ""
    transcript: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """A whole run. target, grade and started_at as reports show them."""

    target: str
    grade: str
    started_at: str
    seconds: float = 0.0
    results: list[Result] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        """How many scenarios came to this."""
        return sum(result.outcome is outcome for result in self.results)

    @property
    def exit_code(self) -> int:
        """0: all that ran hold, 1: some fell."""
        return 1 if self.count(Outcome.FAILED) else 0
