"""The client's document says what the code does: its examples are run, its tables made anew."""

from __future__ import annotations

import msgspec

from portcullis.gateway.config_sessions import FixClient
from tests.support.rules_document import DOCUMENT, EXAMPLES, rewrite


def test_examples_and_tables_are_what_the_code_makes() -> None:
    text = DOCUMENT.read_text()
    assert rewrite(text) == text, "run `python -m tests.support.rules_document`"


def test_every_example_is_shown() -> None:
    text = DOCUMENT.read_text()
    assert [name for name in EXAMPLES if f"<!-- begin {name} -->" not in text] == []


def test_every_setting_that_a_client_notices_is_listed() -> None:
    ours = {"enabled", "authenticator", "sessions_max"}
    table = DOCUMENT.read_text().partition("## What a session may choose")[2].partition("\n## ")[0]
    keys = {field.name for field in msgspec.structs.fields(FixClient)}
    assert {key for key in keys - ours if f"`{key}`" not in table} == set()
