"""`portcullis correct`: gives a trade another price or quantity."""

from __future__ import annotations

from pathlib import Path

import click

from portcullis.gateway.config_values import Decimal
from portcullis.gateway.operator_port import OperatorError
from portcullis.journal.errors import JournalError
from portcullis.journal.fills import find_match
from portcullis.tools.journal_names import JournalNames
from portcullis.tools.operator_calls import (
    ask_back_office,
    command_gateway,
    data_option,
    exec_id_argument,
    json_option,
    print_answer,
    refuse,
    refusing,
    why_option,
)


@click.command(name="correct")
@exec_id_argument
@click.option("--qty", help="The quantity as it should be. Default: as it is.")
@click.option("--price", help="The price as it should be. Default: as it is.")
@data_option
@why_option
@json_option
@refusing
def command(
    exec_id: int, qty: str | None, price: str | None, data: Path, why: str, as_json: bool
) -> None:
    """Correct the trade that the fill EXEC_ID belongs to, ExecID(17) of either side.

    Both sides are told (150=G). Only while the orders live or their day has not ended.
    """
    if qty is None and price is None:
        raise click.UsageError("expected --qty, --price or both")
    try:
        match = find_match(data, exec_id)
    except JournalError as error:
        refuse(str(error))
    decimals = ask_back_office(data, "/instruments")["instruments"][str(match.instrument)]
    first, second = match.sums
    new_qty = match.qty if qty is None else _units(qty, decimals["qty_decimals"])
    new_price = match.price if price is None else _units(price, decimals["price_decimals"])
    found = command_gateway(
        data,
        "correct",
        why,
        match=match.number,
        qty=new_qty,
        price=new_price,
        sum=first,
        other_sum=second,
        looked_to=match.last_row,
    )
    names = JournalNames(data)
    terms = names.terms(match.instrument, new_qty, new_price)
    text = f"{names.match(match)} is corrected" + (f" to {terms}" if terms else "")
    print_answer(found, as_json, text)


def _units(text: str, decimals: int) -> int:
    try:
        return Decimal.parse(text).scaled(decimals)
    except ValueError:
        raise OperatorError(
            f"{text!r}: expected a number above zero with at most {decimals} decimals"
        ) from None
