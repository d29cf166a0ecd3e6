"""Whether a received message is the expected one, field by field, in two grades.

Owns comparison for both languages and what it found, as rows of expected beside received. Ours
compares the fields named; QuickFIX's compares all, in order where strict. Tolerant means: numbers
as numbers, Text(58) by its beginning or not at all, order and times not at all. Must not know
where messages come from.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from portcullis.tools.conform.fix_names import NUMBERS, field_name
from portcullis.tools.conform.scenario import ABSENT, Step
from portcullis.tools.conform.wire import Fields, Message


class Grade(StrEnum):
    """How exact the target has to be."""

    STRICT = "strict"
    TOLERANT = "tolerant"


class Verdict(StrEnum):
    """What one field came to."""

    OK = "ok"
    DIFFERS = "differs"
    MISSING = "missing"
    UNEXPECTED = "unexpected"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """One field: its name for people, what was expected and received, "" where absent."""

    name: str
    expected: str
    received: str
    verdict: Verdict

    @property
    def holds(self) -> bool:
        return self.verdict in (Verdict.OK, Verdict.NOT_COMPARED)


Render = Callable[[str], str]
_GET = re.compile(r"\{get (\w+)\}")
# QuickFIX's fields.fmt: these are searched in the received value, whatever was expected.
_TIME = r"\d{8}-\d{2}:\d{2}:\d{2}"
_QUICKFIX_PATTERNS = {
    "10": re.compile(r"\d{3}"),
    "42": re.compile(_TIME),
    "52": re.compile(rf"^{_TIME}(\.\d{{3}})?$"),
    "60": re.compile(_TIME),
    "122": re.compile(_TIME),
}
_QUICKFIX_NOT_COMPARED = frozenset(("9", "10", "52", "60", "122"))


def compare(
    step: Step, message: Message, grade: Grade, render: Render, keep: dict[str, str]
) -> list[FieldCheck]:
    """Each field that the step names, and MsgType first; `keep` takes what `{get name}` caught."""
    if step.in_order:
        if grade is Grade.STRICT:
            return _in_order(step, message, render)
        return _unordered(step, message, render)
    checks = [_type_check(step, message)]
    seen: dict[str, int] = {}
    for name, template in step.fields:
        values = [value for key, value in message.fields if key == name]
        place = seen[name] = seen.get(name, -1) + 1
        received = values[place] if place < len(values) else None
        checks.append(_named(name, template, received, grade, render, keep))
    return checks


def _type_check(step: Step, message: Message) -> FieldCheck:
    verdict = Verdict.OK if step.message == message.type else Verdict.DIFFERS
    name = "MsgType(35)" if message.get("35") is not None else "message"
    return FieldCheck(name, step.message, message.type, verdict)


def _named(
    name: str,
    template: str,
    received: str | None,
    grade: Grade,
    render: Render,
    keep: dict[str, str],
) -> FieldCheck:
    label = field_name(name)
    if template == ABSENT:
        verdict = Verdict.OK if received is None else Verdict.UNEXPECTED
        return FieldCheck(label, "(absent)", received or "", verdict)
    found = _GET.fullmatch(template)
    if template == "*" or found:
        if found and received:
            keep[found[1]] = received
        verdict = Verdict.OK if received else Verdict.MISSING
        return FieldCheck(label, "(any)", received or "", verdict)
    if template.startswith("~"):
        pattern = template[1:]
        holds = received is not None and re.fullmatch(pattern, received) is not None
        verdict = Verdict.OK if holds else Verdict.DIFFERS
        return FieldCheck(label, f"like {pattern}", received or "", verdict)
    expected = render(template)
    if received is None:
        return FieldCheck(label, expected, "", Verdict.MISSING)
    if name == "58" and grade is Grade.TOLERANT:
        return FieldCheck(label, expected, received, Verdict.NOT_COMPARED)
    if expected == received or (
        name.isdigit()
        and int(name) in NUMBERS
        and grade is Grade.TOLERANT
        and _same_number(expected, received)
    ):
        return FieldCheck(label, expected, received, Verdict.OK)
    return FieldCheck(label, expected, received, Verdict.DIFFERS)


def _same_number(left: str, right: str) -> bool:
    try:
        return Decimal(left) == Decimal(right)
    except InvalidOperation:
        return False


# --- QuickFIX's language -------------------------------------------------------------------------


def _in_order(step: Step, message: Message, render: Render) -> list[FieldCheck]:
    """Field by field, as QuickFIX's Comparator: same tags in the same places, same number."""
    expected = [(tag, render(value)) for tag, value in step.fields]
    checks = []
    for place in range(max(len(expected), len(message.fields))):
        if place >= len(expected):
            tag, value = message.fields[place]
            checks.append(FieldCheck(field_name(tag), "", value, Verdict.UNEXPECTED))
            continue
        tag, wanted = expected[place]
        if place >= len(message.fields):
            checks.append(FieldCheck(field_name(tag), wanted, "", Verdict.MISSING))
            continue
        received_tag, received = message.fields[place]
        if received_tag != tag:
            shown = f"{received_tag}={received}"
            checks.append(FieldCheck(field_name(tag), wanted, shown, Verdict.DIFFERS))
            continue
        pattern = _QUICKFIX_PATTERNS.get(tag)
        holds = pattern.search(received) is not None if pattern else wanted == received
        verdict = Verdict.OK if holds else Verdict.DIFFERS
        checks.append(FieldCheck(field_name(tag), wanted, received, verdict))
    return checks


def _unordered(step: Step, message: Message, render: Render) -> list[FieldCheck]:
    """As QuickFIX/J: the same fields in any order, no times, no frame, 58 as a prefix."""
    left: Fields = list(message.fields)
    checks = []
    for tag, template in step.fields:
        wanted = render(template)
        same_tag = [pair for pair in left if pair[0] == tag]
        if not same_tag:
            checks.append(FieldCheck(field_name(tag), wanted, "", Verdict.MISSING))
            continue
        pair = (tag, wanted) if (tag, wanted) in same_tag else same_tag[0]
        left.remove(pair)
        if tag in _QUICKFIX_NOT_COMPARED:
            verdict = Verdict.NOT_COMPARED
        elif pair[1] == wanted or (tag == "58" and pair[1].startswith(wanted)):
            verdict = Verdict.OK
        else:
            verdict = Verdict.DIFFERS
        checks.append(FieldCheck(field_name(tag), wanted, pair[1], verdict))
    checks += [FieldCheck(field_name(tag), "", value, Verdict.UNEXPECTED) for tag, value in left]
    return checks
