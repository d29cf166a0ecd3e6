"""The streams of reports that a journal knows, and the rows that say what they carry.

Owns how the configuration's [[stream]] tables become STREAM rows, at a start and with each day,
and that a stream is followed from the row that names it first. What a stream's messages are is
`report_stream`, how they are sent `multicast`. Must not know sockets.

A stream that is no longer configured stays known and carries nothing: should it come back within
its day, its numbers go on.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portcullis.gateway.catalog import NameTable
from portcullis.gateway.config_schema import Stream
from portcullis.gateway.report_stream import ReportStream
from portcullis.journal import rows
from portcullis.journal.table import RowTable


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A STREAM row to append."""

    flags: int
    words: dict[int, int]
    items: dict[int, bytes]


class Streams:
    """Every stream that rows of `table` have named, by its number."""

    def __init__(self, table: RowTable) -> None:
        self.known: dict[int, ReportStream] = {}
        self._table = table

    def named(self, name: str) -> ReportStream:
        """KeyError: no row has named it."""
        for stream in self.known.values():
            if stream.name == name.encode():
                return stream
        raise KeyError(name)

    def observe(self, first_row: int, last_row: int) -> None:
        """Count the messages of a batch, and take in the STREAM rows among its rows."""
        table = self._table
        start = (first_row - table.origin_row) * rows.ROW_BYTES
        end = (last_row + 1 - table.origin_row) * rows.ROW_BYTES
        kinds = bytes(table.octets[start : end : rows.ROW_BYTES])
        at = kinds.find(rows.STREAM)
        while at >= 0:
            row = first_row + at
            number = table.word(row, rows.W_SUBJECT)
            if number not in self.known:
                name = table.item(row, rows.ITEM_NAME) or b""
                self.known[number] = ReportStream(table, number, name, next_row=row)
            at = kinds.find(rows.STREAM, at + 1)
        for stream in self.known.values():
            stream.follow(last_row + 1)

    def changes(
        self, configured: list[Stream], accounts: NameTable, day: int
    ) -> Iterator[StreamRow]:
        """What to append so that the journal says what the configuration says, as of a day.

        accounts: has every account that a stream names.
        """
        by_name = {stream.name: stream for stream in self.known.values()}
        next_number = max(self.known, default=0) + 1
        for one in configured:
            content = rows.STREAM_REPORTS
            carried: tuple[int, ...] = ()
            if one.content == "trades":
                content = rows.STREAM_TRADES
            elif one.accounts:
                content = rows.STREAM_ACCOUNTS
                carried = tuple(sorted({accounts.number(name.encode()) for name in one.accounts}))
            stream = by_name.pop(one.name.encode(), None)
            number, flags = next_number, rows.F_BEGINS
            if stream is None:
                next_number += 1
            else:
                number = stream.number
                if stream.day == day:
                    flags = 0
                    if (stream.content, stream.accounts) == (content, carried):
                        continue
            yield _row(number, one.name.encode(), content, carried, day, flags)
        for stream in by_name.values():
            if stream.content != rows.STREAM_NOTHING:
                name = stream.name
                yield _row(stream.number, name, rows.STREAM_NOTHING, (), stream.day, 0)

    def anew(self, day: int) -> Iterator[StreamRow]:
        """What to append after a loss, under a day's new id: numbers that were given to messages
        which the journal no longer has are not given again."""
        flags = rows.F_BEGINS | rows.F_NO_END
        for stream in self.known.values():
            if stream.content != rows.STREAM_NOTHING:
                carried = stream.accounts
                yield _row(stream.number, stream.name, stream.content, carried, day, flags)

    def save(self) -> list[dict[str, Any]]:
        """What it holds, for `load`."""
        return [stream.save() for stream in self.known.values()]

    def load(self, saved: list[dict[str, Any]]) -> None:
        """Take what `save` gave of another."""
        for one in saved:
            number = one["number"]
            self.known[number] = ReportStream(self._table, number, one["name"].encode())
            self.known[number].load(one)


def _row(
    number: int, name: bytes, content: int, accounts: tuple[int, ...], day: int, flags: int
) -> StreamRow:
    words = {rows.W_SUBJECT: number, rows.W_CONTENT: content, rows.W_STREAM_DAY: day}
    items = {rows.ITEM_NAME: name, rows.ITEM_VALUE: array("I", accounts).tobytes()}
    return StreamRow(flags, words, items)
