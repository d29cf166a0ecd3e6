"""The client's document says what the code does: its examples are run, its tables made anew."""

from __future__ import annotations

from tests.support.rules_document import DOCUMENT, EXAMPLES, rewrite


def test_examples_and_tables_are_what_the_code_makes() -> None:
    text = DOCUMENT.read_text()
    assert rewrite(text) == text, "run `python -m tests.support.rules_document`"


def test_every_example_is_shown() -> None:
    text = DOCUMENT.read_text()
    assert [name for name in EXAMPLES if f"<!-- begin {name} -->" not in text] == []
