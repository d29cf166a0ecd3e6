"""What `portcullis demo` prints: numbered steps, reports as tables, messages with their names.

Owns the look, on a terminal and in a pipe, with colour and without, and fits 80 columns. Must not
know how the messages were come by.
"""

from __future__ import annotations

import re

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from portcullis.dictionaries import fix_tags as tags
from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.tools.demo_ouch import OuchMessage

_WIDTH_MAX = 80
_INDENT = 3
_CELL_MAX = (_WIDTH_MAX - _INDENT - 1) // 2
_TRADE = "F"
_CAPITAL = re.compile("(?<=[a-z])(?=[A-Z])")  # where a word begins, in the name of a message
# Colour follows what happened; the words say it, too.
_STYLES = {"0": "cyan", "F": "green", "4": "yellow"}
_DICTIONARY = "FIX44.xml"
# Of OUCH messages, by type: what happened, and which fields tell it.
_OUCH_WORDS = {
    "A": ("accepted", "cyan", "shares", "price", "order reference"),
    "E": ("executed", "green", "executed shares", "execution price", "match number"),
}
_OUCH_PRICES = ("price", "execution price")


class DemoPage:
    """A page that grows downwards."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(console.width, _WIDTH_MAX)
        self._dictionary = load_dictionary(_DICTIONARY)
        self._steps = 0

    def step(self, text: str) -> None:
        """Tell what happens next."""
        self._steps += 1
        line = Table.grid(padding=(0, 1))
        line.add_column(style="bold", width=_INDENT - 1, no_wrap=True)
        line.add_column()
        line.add_row(f"{self._steps}.", Text(text))
        self._print(line)

    def end(self, text: str) -> None:
        """The last line."""
        self._print(Text(text, style="bold"))

    def reports(self, client: str, reports: list[dict[int, str]]) -> None:
        """Execution reports that a client was sent, one a row."""
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        table.add_column("time", no_wrap=True)
        table.add_column(client, no_wrap=True)
        table.add_column("status", no_wrap=True, min_width=len("partially filled"))
        for heading in ("qty @ price", "leaves", "OrderID", "ExecID"):
            table.add_column(heading, no_wrap=True, justify="right")
        for report in reports:
            table.add_row(*self._cells(report), style=_STYLES[report[tags.EXEC_TYPE]])
        self._print(table, indent=_INDENT)

    def _cells(self, report: dict[int, str]) -> tuple[str, ...]:
        fill = ""
        if report[tags.EXEC_TYPE] == _TRADE:
            fill = f"{report[tags.LAST_QTY]} @ {report[tags.LAST_PX]}"
        return (
            report[tags.SENDING_TIME].partition("-")[2],
            report.get(tags.ORIG_CL_ORD_ID, report[tags.CL_ORD_ID]),
            self._meaning(tags.ORD_STATUS, report[tags.ORD_STATUS]),
            fill,
            report[tags.LEAVES_QTY],
            report[tags.ORDER_ID],
            report[tags.EXEC_ID],
        )

    def message(self, fields: dict[int, str]) -> None:
        """A message as it was on the wire: each field with its name and what its code means."""
        table = Table.grid(padding=(0, 1))
        cells = [self._field(tag, value) for tag, value in fields.items()]
        height = -(-len(cells) // 2)
        for row in range(height):
            table.add_row(*cells[row::height])
        self._print(table, indent=_INDENT)

    def ouch_messages(self, client: str, messages: list[OuchMessage]) -> None:
        """Messages that an OUCH client was sent, one a row."""
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for heading in ("time", client, "message"):
            table.add_column(heading, no_wrap=True)
        for heading in ("lots @ price", "number"):
            table.add_column(heading, no_wrap=True, justify="right")
        for message in messages:
            words, style, lots, price, number = _OUCH_WORDS[message.type]
            shown = {name: _ouch_value(name, value) for name, value in message.fields.items()}
            table.add_row(
                shown["timestamp"],
                shown["order token"],
                words,
                f"{shown[lots]} @ {shown[price]}",
                f"{number.partition(' ')[0]} {shown[number]}",
                style=style,
            )
        self._print(table, indent=_INDENT)

    def ouch_message(self, message: OuchMessage) -> None:
        """A message as it was on the wire, in hexadecimal, and its fields with their names."""
        table = Table.grid(padding=(0, 1))
        octets = message.octets.hex(" ")
        for start in range(0, len(octets), 3 * 20):
            table.add_row(octets[start : start + 3 * 20])
        fields = Text()
        for name, value in message.fields.items():
            fields.append(f"{name} ", style="dim").append(f"{_ouch_value(name, value)}  ")
        table.add_row("")
        table.add_row(fields)
        self._print(table, indent=_INDENT)

    def _field(self, tag: int, value: str) -> Text:
        shown = Text(f"{tag}={value}")
        shown.append(f" {self._dictionary.fields[tag].name}", style="dim")
        meaning = self._meaning(tag, value)
        if meaning and len(shown) + 2 + len(meaning) <= _CELL_MAX:
            shown.append(f": {meaning}", style="dim")
        return shown

    def _meaning(self, tag: int, value: str) -> str:
        """What the dictionary says of a code, in short; empty where the value is no code."""
        text = self._dictionary.fields[tag].values.get(value.encode("latin-1"), "")
        words = _CAPITAL.sub(" ", text.partition(",")[0].partition("(")[0].replace("_", " "))
        return words.strip().lower()

    def _print(self, what: RenderableType, *, indent: int = 0) -> None:
        """Print with a blank line behind, and without the blanks that fill a line up."""
        with self._console.capture() as page:
            self._console.print(Padding(what, (0, 0, 0, indent)), width=self._width)
        for line in page.get().splitlines():
            self._console.out(line.rstrip(), highlight=False)
        self._console.out("")


def _ouch_value(name: str, value: int | str) -> str:
    """A field's value for people: times of the day, prices with their decimals."""
    if name == "timestamp":
        seconds, rest_ns = divmod(int(value), 1_000_000_000)
        minutes = seconds // 60
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds % 60:02d}.{rest_ns // 10**6:03d}"
    if name in _OUCH_PRICES:
        return f"{int(value) / 10_000:g}"
    return str(value)
