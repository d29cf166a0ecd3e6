"""What `portcullis demo` prints: numbered steps, reports as tables, a message with its names.

Owns the look, on a terminal and in a pipe, with colour and without, and fits 80 columns. Must not
know how the messages were come by.
"""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from portcullis.dictionaries import fix_tags as tags
from portcullis.dictionaries.fix_xml import load_dictionary

_WIDTH_MAX = 80
_INDENT = 3
_CELL_MAX = (_WIDTH_MAX - _INDENT - 1) // 2
_TRADE = "F"
# Colour follows what happened; the words say it, too.
_STYLES = {"0": "cyan", "F": "green", "4": "yellow"}
_DICTIONARY = "FIX44.xml"


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
        return text.partition(",")[0].partition("(")[0].replace("_", " ").strip().lower()

    def _print(self, what: RenderableType, *, indent: int = 0) -> None:
        """Print with a blank line behind, and without the blanks that fill a line up."""
        with self._console.capture() as page:
            self._console.print(Padding(what, (0, 0, 0, indent)), width=self._width)
        for line in page.get().splitlines():
            self._console.out(line.rstrip(), highlight=False)
        self._console.out("")
