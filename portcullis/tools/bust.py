"""`portcullis bust`: takes a trade back."""

from __future__ import annotations

from pathlib import Path

import click

from portcullis.journal.errors import JournalError
from portcullis.journal.fills import find_match
from portcullis.tools.journal_names import JournalNames
from portcullis.tools.operator_calls import (
    command_gateway,
    data_option,
    exec_id_argument,
    json_option,
    print_answer,
    refuse,
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
    """
    try:
        match = find_match(data, exec_id)
    except JournalError as error:
        refuse(str(error))
    first, second = match.sums
    found = command_gateway(
        data,
        "bust",
        why,
        match=match.number,
        sum=first,
        other_sum=second,
        looked_to=match.last_row,
    )
    print_answer(found, as_json, f"{JournalNames(data).match(match)} is busted")
