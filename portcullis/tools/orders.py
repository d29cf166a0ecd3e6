"""`portcullis orders`: the live orders of a running gateway."""

from __future__ import annotations

from pathlib import Path

import click

from portcullis.tools.operator_calls import (
    ask_back_office,
    data_option,
    json_option,
    print_rows,
    refusing,
)


@click.command(name="orders")
@data_option
@click.option("--session", help="Only those of a session: its key, or a part that no other has.")
@click.option("--account", help="Only those of an account.")
@click.option("--symbol", help="Only those of an instrument.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@json_option
@refusing
def command(
    data: Path,
    session: str | None,
    account: str | None,
    symbol: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List live orders, by account, oldest first; JSON says up to which row, if there are more."""
    asked = {"session": session, "account": account, "symbol": symbol, "limit": limit}
    found = ask_back_office(data, "/orders", asked)
    print_rows(found, "orders", as_json)
    if found["more"] and not as_json:
        click.echo(f"there are more than {limit}; see --limit", err=True)
