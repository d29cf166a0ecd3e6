"""`portcullis book`: an instrument's book in a running gateway."""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from portcullis.tools.operator_calls import ask_back_office, data_option, json_option, refusing


@click.command(name="book")
@click.argument("symbol")
@data_option
@click.option("--levels", type=click.IntRange(1, 100_000), default=10, show_default=True)
@json_option
@refusing
def command(symbol: str, data: Path, levels: int, as_json: bool) -> None:
    """Show both sides of the book of SYMBOL, best first."""
    found = ask_back_office(data, "/book", {"symbol": symbol, "levels": levels})
    if as_json:
        click.echo(json.dumps(found))
    elif not found["bids"] and not found["asks"]:
        click.echo(f"{symbol}: empty")
    else:
        click.echo(symbol)
        Console().print(book_table(found))


def book_table(found: dict[str, Any]) -> Table:
    """Bids on the left, asks on the right."""
    nothing: dict[str, Any] = {}
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("orders", "qty", "bid", "ask", "qty", "orders"):
        table.add_column(heading, justify="right")
    for bid, ask in zip_longest(found["bids"], found["asks"], fillvalue=nothing):
        shown = [bid.get(key, "") for key in ("orders", "qty", "price")]
        shown += [ask.get(key, "") for key in ("price", "qty", "orders")]
        table.add_row(*map(str, shown))
    return table
