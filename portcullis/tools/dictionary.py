"""`portcullis dictionary NAME`: the messages of a binary protocol as tables, byte by byte.

Owns the printing; what is printed are the declarations that the codecs' offsets are made from.
"""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from portcullis.dictionaries.binary_layouts import BOTH, IN, Message
from portcullis.dictionaries.binary_offsets_writer import PROTOCOLS

_DIRECTIONS = {IN: "to the gateway", BOTH: "both ways"}


@click.command()
@click.argument("name", type=click.Choice(sorted(PROTOCOLS)))
def command(name: str) -> None:
    """Print the message layouts of a binary protocol.

    Offsets count from the message's first byte, which but in MoldUDP64 is its type; of SoupBinTCP,
    a length of two bytes stands before it. The report stream's messages are in its SBE schema.
    """
    console = Console(highlight=False)
    for message in PROTOCOLS[name][0]:
        console.print(_table(message))


def _table(message: Message) -> Table:
    size = "1 byte" if message.size == 1 else f"{message.size} bytes"
    size += " and what they carry" if message.open_ended else ""
    direction = _DIRECTIONS.get(message.direction, "from the gateway")
    table = Table(
        title=f"{message.letter}  {message.name}: {size}, {direction}".strip(),
        title_justify="left",
        title_style="bold",
        show_edge=False,
    )
    for heading in ("offset", "bytes"):
        table.add_column(heading, justify="right")
    for heading in ("type", "field", "note"):
        table.add_column(heading)
    if message.letter:
        table.add_row("0", "1", "alpha", "type", message.letter)
    for field in message.fields():
        table.add_row(str(field.offset), str(field.size), field.kind, field.name, field.note)
    return table
