"""A plain validator of FIX 4.4 messages that shares nothing with the scanner but its rules.

Splits with bytes.split, walks the dictionary's own objects recursively, and checks formats with
regular expressions. Slow and short, so that it can be read against the rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from portcullis.dictionaries.fix_dictionary import FixDictionary, FixField, FixMember

FORMATS = {
    "INT": r"-?\d+",
    "SEQNUM": r"\d+",
    "LENGTH": r"\d+",
    "NUMINGROUP": r"\d+",
    "CHAR": r"(?s:.)",
    "BOOLEAN": r"[YN]",
    "UTCTIMESTAMP": r"\d{8}-([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,12})?",
    "UTCTIMEONLY": r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,12})?",
    "UTCDATEONLY": r"\d{8}",
    "LOCALMKTDATE": r"\d{8}",
    "MONTHYEAR": r"\d{4}(0[1-9]|1[0-2])(w[1-5]|\d\d)?",
} | dict.fromkeys(
    ("FLOAT", "QTY", "PRICE", "PRICEOFFSET", "AMT", "PERCENTAGE"), r"-?(\d+\.?\d*|\.\d+)"
)
MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Fault(Exception):
    """(373, 371) of a message."""


def is_date(text: str) -> bool:
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
    if not 1 <= month <= 12 or not 1 <= day <= MONTH_DAYS[month - 1]:
        return False
    return (month, day) != (2, 29) or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))


def check_value(field: FixField, value: bytes) -> None:
    text = value.decode("latin-1")
    if not value:
        raise Fault(4, field.tag)
    pattern = FORMATS.get(field.type)
    if pattern and not re.fullmatch(pattern, text, re.ASCII):
        raise Fault(6, field.tag)
    if field.type in ("UTCTIMESTAMP", "UTCDATEONLY", "LOCALMKTDATE") and not is_date(text[:8]):
        raise Fault(6, field.tag)
    if field.type == "MONTHYEAR" and len(text) == 8 and text[6] != "w" and not is_date(text):
        raise Fault(6, field.tag)
    if not field.open:
        values = value.split(b" ") if field.is_multiple else [value]
        if any(each not in field.values for each in values):
            raise Fault(5, field.tag)


class NaiveValidator:
    """Says (373, 371) of the first fault of a message without data fields, or None."""

    def __init__(self, dictionary: FixDictionary) -> None:
        self.dictionary = dictionary
        self.header = {tag for member in dictionary.header for tag in tags(member)}
        self.trailer = {tag for member in dictionary.trailer for tag in tags(member)}

    def check(self, fields: Sequence[tuple[int, bytes]]) -> tuple[int, int] | None:
        try:
            self._check(list(fields))
        except Fault as fault:
            return fault.args
        return None

    def _check(self, fields: list[tuple[int, bytes]]) -> None:
        msg_type = fields[2][1]
        if not msg_type:
            raise Fault(4, 35)
        if msg_type not in self.dictionary.messages:
            raise Fault(11, 35)
        sections = [
            self.dictionary.header,
            self.dictionary.messages[msg_type].members,
            self.dictionary.trailer,
        ]
        seen: list[set[int]] = [set(), set(), set()]
        present = 0
        index = 0
        while index < len(fields):
            tag = fields[index][0]
            if tag not in self.dictionary.fields:
                raise Fault(0, tag)
            section = 0 if tag in self.header else 2 if tag in self.trailer else 1
            if section < present:
                raise Fault(14, tag)
            present = section
            index = self._member([sections[section]], seen[section], fields, index)
        for members, found in zip(sections, seen, strict=True):
            missing(members, found)

    def _member(
        self,
        levels: Sequence[Sequence[FixMember]],
        seen: set[int],
        fields: list[tuple[int, bytes]],
        index: int,
    ) -> int:
        """Check a member of the last level, with the group it counts; give the index behind."""
        tag, value = fields[index]
        member = next((each for each in levels[-1] if each.tag == tag), None)
        if member is None:
            raise Fault(2, tag)
        if tag in seen:
            raise Fault(13, tag)
        seen.add(tag)
        if tag != 35:
            check_value(member.field, value)
        index += 1
        if member.is_group:
            index = self._group([*levels, member.members], tag, int(value), fields, index)
        return index

    def _group(
        self,
        levels: Sequence[Sequence[FixMember]],
        counter: int,
        count: int,
        fields: list[tuple[int, bytes]],
        index: int,
    ) -> int:
        order = [member.tag for member in levels[-1]]
        entries = 0
        seen: set[int] = set()
        place = -1
        while index < len(fields) and (tag := fields[index][0]) in order:
            if tag == order[0]:
                if entries:
                    missing(levels[-1], seen)
                if entries == count:
                    raise Fault(16, counter)
                entries += 1
                seen, place = set(), -1
            elif not entries:
                raise Fault(15, tag)
            elif tag in seen:
                raise Fault(13, tag)
            elif order.index(tag) < place:
                raise Fault(15, tag)
            place = order.index(tag)
            index = self._member(levels, seen, fields, index)
        if index < len(fields):
            self._check_end(levels, fields[index][0])
        if entries:
            missing(levels[-1], seen)
        if entries != count:
            raise Fault(16, counter)
        return index

    def _check_end(self, levels: Sequence[Sequence[FixMember]], tag: int) -> None:
        """What ends a group belongs to a level around it, or to another section."""
        if tag not in self.dictionary.fields:
            raise Fault(0, tag)
        header = levels[0] is self.dictionary.header
        trailer = levels[0] is self.dictionary.trailer
        if (tag in self.header, tag in self.trailer) == (header, trailer) and not any(
            member.tag == tag for level in levels for member in level
        ):
            raise Fault(2, tag)


def missing(members: Sequence[FixMember], seen: set[int]) -> None:
    for member in members:
        if member.required and member.tag not in seen:
            raise Fault(1, member.tag)


def tags(member: FixMember) -> list[int]:
    return [member.tag] + [tag for inner in member.members for tag in tags(inner)]
