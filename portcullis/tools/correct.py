"""`portcullis correct`: gives a trade another price or quantity."""

from __future__ import annotations

from pathlib import Path

import click

from portcullis.gateway.config_values import Decimal
from portcullis.gateway.operator_port import OperatorError
from portcullis.journal.fills import Match
from portcullis.tools.journal_names import JournalNames
from portcullis.tools.operator_calls import (
    amend,
    ask_back_office,
    data_option,
    exec_id_argument,
    json_option,
    print_answer,
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

    Both sides are told (150=G). Only while the orders live or their day has not ended. CumQty of
    neither order may exceed its OrderQty, nor the price the instrument's price_max.

    A trade is busted or corrected once: one that has been is refused, and stays as it is.
    """
    if qty is None and price is None:
        raise click.UsageError("expected --qty, --price or both")

    def wanted(match: Match) -> dict[str, int]:
        decimals = ask_back_office(data, "/instruments")["instruments"][str(match.instrument)]
        return {
            "qty": match.qty if qty is None else _units(qty, decimals["qty_decimals"]),
            "price": match.price if price is None else _units(price, decimals["price_decimals"]),
        }

    match, asked, found = amend(data, "correct", why, exec_id, wanted)
    names = JournalNames(data)
    terms = names.terms(match.instrument, asked["qty"], asked["price"])
    text = f"{names.match(match)} is corrected" + (f" to {terms}" if terms else "")
    new = names.terms_fields(match.instrument, asked["qty"], asked["price"])
    found |= names.match_fields(match) | {f"new_{name}": new[name] for name in new}
    print_answer(found, as_json, text)


def _units(text: str, decimals: int) -> int:
    try:
        return Decimal.parse(text).scaled(decimals)
    except ValueError:
        raise OperatorError(
            f"{text!r}: expected a number above zero with at most {decimals} decimals"
        ) from None
