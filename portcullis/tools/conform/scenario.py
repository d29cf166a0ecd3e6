"""What a scenario is: its steps, where each stands in its file, and what the target must offer.

Owns the data that readers make and the runner works on. Must not know languages, sockets or time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

# What of a line is said of it, and how large a file of scenarios may be.
TEXT_MAX = 500
SCENARIO_BYTES_MAX = 16 << 20


class ScenarioError(Exception):
    """A scenario file says something that cannot be run. The text names file, line and remedy."""

    def __init__(self, path: Path, line: int, text: str) -> None:
        text = text if len(text) < TEXT_MAX else text[:TEXT_MAX] + "..."
        super().__init__(f"{path}:{line}: {text}" if line else f"{path}: {text}")


# The template of a field that must not be there, written `!NAME`.
ABSENT = "\0absent\0"


_TAG = re.compile(r"-?[0-9]{1,40}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")


def duration(text: str) -> float:
    """Seconds; ValueError where it is none."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration such as 300ms or 1.5s")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def is_tag(text: str) -> bool:
    """Whether a scenario may use it as a tag: a number, which may be 0 or negative."""
    return _TAG.fullmatch(text) is not None


class Verb(StrEnum):
    """What a step does. docs/conformance.md explains each."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    ACCEPT = "accept"
    LOGON = "logon"
    LOGOUT = "logout"
    RESET = "reset"
    SEND = "send"
    GARBLE = "garble"
    RAW = "raw"
    DRIP = "drip"
    EXPECT = "expect"
    AND = "and"
    OR = "or"
    MAYBE = "maybe"
    SILENT = "silent"
    CLOSED = "closed"
    WAIT = "wait"
    LET = "let"
    SAY = "say"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Timing:
    """When a message may come, in seconds after `since`: "theirs" or "ours", the last message.

    since "": within latest_s from when it is waited for.
    """

    earliest_s: float
    latest_s: float
    since: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One line. fields: (name or tag, template) as written; in_order: the QuickFIX language."""

    line: int
    text: str
    verb: Verb
    client: str = "A"
    message: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    argument: str = ""
    timing: Timing | None = None
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. identity: QuickFIX scenarios name their CompIDs;
    those alike run in turn. role: what the tool plays, `client` or `venue`."""

    corpus: str
    name: str
    title: str
    path: Path
    line: int
    steps: tuple[Step, ...]
    protocol: str = "fix"
    area: str = ""
    fix_cases: tuple[str, ...] = ()
    quickfix_cases: tuple[str, ...] = ()
    rule: str = ""
    needs: tuple[str, ...] = ()
    clients: tuple[str, ...] = ("A",)
    identity: str = ""
    role: str = "client"
