"""Order terms: the table names every field of D and G, and the document shows the table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from portcullis.dictionaries.fix_dictionary import FixMember
from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.gateway.order_terms import (
    CARRIED_GROUP,
    CARRIED_GROUP_MEMBERS,
    TERMS,
    Use,
    markdown_table,
    refused_text,
)
from tests.support.fix_desk import FIX44

DICTIONARY = load_dictionary(FIX44)
DOCUMENT = Path(__file__).parents[2] / "docs" / "rules-of-engagement.md"


def flat(members: Iterable[FixMember]) -> dict[int, FixMember]:
    """All fields, those of groups at any depth among them."""
    found = {}
    for member in members:
        found[member.field.tag] = member
        found |= flat(member.members)
    return found


FIELDS = {kind: flat(DICTIONARY.messages[kind.encode()].members) for kind in ("D", "G", "8")}


def test_every_field_of_both_messages_is_in_the_table_under_its_name() -> None:
    named = {
        tag: (DICTIONARY.fields[tag].name, "".join(kind for kind in "DG" if tag in FIELDS[kind]))
        for tag in FIELDS["D"] | FIELDS["G"]
    }
    assert named == {tag: (term.name, term.messages) for tag, term in TERMS.items()}


@pytest.mark.parametrize("tag", sorted(t for t, term in TERMS.items() if term.use is Use.CARRIED))
def test_a_carried_field_is_defined_for_execution_report(tag: int) -> None:
    assert tag in FIELDS["8"]


def test_the_carried_group_is_the_same_in_orders_and_reports() -> None:
    for kind in ("D", "G", "8"):
        group = FIELDS[kind][CARRIED_GROUP]
        assert set(flat(group.members)) == CARRIED_GROUP_MEMBERS


def test_values_taken_are_values_of_the_field() -> None:
    for term in TERMS.values():
        known = DICTIONARY.fields[term.tag].values
        if term.values and known:
            assert {value.encode() for value in term.values} <= set(known), term.label


def test_a_refusal_names_field_and_value() -> None:
    assert refused_text(18) == "Unsupported order term: ExecInst(18)"
    assert refused_text(40, "3") == "Unsupported order term: OrdType(40)=3"
    assert refused_text(9001) == "Unsupported order term: tag 9001"


def test_the_document_shows_the_table() -> None:
    assert markdown_table() in DOCUMENT.read_text()
