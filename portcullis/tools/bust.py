"""`portcullis bust`: takes a trade back."""

from __future__ import annotations

from pathlib import Path

import click

from portcullis.tools.journal_names import JournalNames
from portcullis.tools.operator_calls import (
    amend,
    data_option,
    exec_id_argument,
    json_option,
    print_answer,
    refusing,
    why_option,
)


@click.command(name="bust")
@exec_id_argument
@data_option
@why_option
@json_option
@refusing
def command(exec_id: int, data: Path, why: str, as_json: bool) -> None:
    """Take back the trade that the fill EXEC_ID belongs to, ExecID(17) of either side.

    Both sides are told (150=H). The orders' quantities count it out; what was filled is not worked
    again. Only while the orders live or their day has not ended.

    A trade is busted or corrected once: one that has been is refused, and stays as it is.
    """
    match, _, found = amend(data, "bust", why, exec_id, lambda _match: {})
    names = JournalNames(data)
    print_answer(found | names.match_fields(match), as_json, f"{names.match(match)} is busted")
