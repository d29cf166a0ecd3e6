"""`portcullis` with a fault built in, for tests: an order whose ClOrdID is POISON breaks it.

The first argument says where: "translation" once the order's row stands in the open batch,
"engine" while the engine is at that row. The rest is a command line as usual.
"""

from __future__ import annotations

import sys
from typing import Any

from portcullis.codecs.soupbintcp.scanner import SoupScanner
from portcullis.gateway import server
from portcullis.gateway.fix_applications import OrderEntry
from portcullis.gateway.ouch_peer import OuchOrderEntry
from portcullis.gateway.turn import Turn
from portcullis.journal import rows
from portcullis.sessions.fix_message import Scanner
from portcullis.tools.main import main

POISON = b"POISON"


def break_translation() -> None:
    """Raise after the poisoned order has become a row."""
    on_messages = OrderEntry.on_messages

    def take(self: OrderEntry, scanner: Scanner, first: int, count: int) -> int:
        taken = on_messages(self, scanner, first, count)
        if POISON in bytes(scanner.octets[: scanner.consumed]):
            raise RuntimeError("a fault of the translation")
        return taken

    OrderEntry.on_messages = take  # type: ignore[method-assign]

    on_packets = OuchOrderEntry.on_packets

    def take_packets(self: OuchOrderEntry, scanner: SoupScanner, first: int, count: int) -> int:
        taken = on_packets(self, scanner, first, count)
        if any(POISON in scanner.payload(first + index) for index in range(count)):
            raise RuntimeError("a fault of the translation")
        return taken

    OuchOrderEntry.on_packets = take_packets  # type: ignore[method-assign]


class FaultyEngine:
    """The engine, but for one row."""

    def __init__(self, turn: Turn) -> None:
        self._engine = turn.engine
        self._table = turn.table
        self._poisoned_row = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @property
    def cursor(self) -> int:
        return self._poisoned_row + 1 if self._poisoned_row else self._engine.cursor

    def run(self) -> int:
        for row in range(self._table.batch_first, self._table.tail):
            if self._table.row_words(row)[rows.W_ID] == int.from_bytes(POISON, "little"):
                self._poisoned_row = row
                raise RuntimeError("a fault of the engine")
        return self._engine.run()


def break_engine() -> None:
    """Raise while the engine is at the poisoned order."""

    def make(*arguments: Any, **named: Any) -> Turn:
        turn = Turn(*arguments, **named)
        turn.engine = FaultyEngine(turn)  # type: ignore[assignment]
        return turn

    server.Turn = make  # type: ignore[misc, assignment]


if __name__ == "__main__":
    {"translation": break_translation, "engine": break_engine}[sys.argv[1]]()
    main(sys.argv[2:])
