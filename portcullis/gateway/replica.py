"""A second engine, in another process, that replays what the gateway writes.

Owns a copy of the venue's state some moments behind, for whatever wants to look at it: orders,
books, sessions, snapshots. Each batch is run again and compared with what the gateway recorded,
so a gateway whose engine was not a function of its rows is found out (`ReplayDifference`). Must
never write to the journal, nor be asked by the gateway.

Segments are mapped privately: what the engine writes while it replays stays in this process, and
goes when the segment has been closed. So a replica takes the engine's tables and one segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from portcullis.engine.matcher import Engine
from portcullis.gateway.registry import LIMITS, Registry
from portcullis.journal.recovery import Batch
from portcullis.journal.replay import replay
from portcullis.journal.rows import ROLL, ROW_BYTES, TEXT, W_TIME
from portcullis.journal.segments import RowSpace, SegmentHeader
from portcullis.journal.table import RowTable
from portcullis.journal.tail import JournalTail

ROWS_A_POLL = 32_768  # some 20 ms of replay
_RESERVE_BYTES = 1 << 40


class OutgrownError(Exception):
    """The journal puts capacities in force that are above those of our tables."""


class Replica:
    """State as of `last_row`, moved on by `poll`. A follower (`followers.Follower`).

    sizes: capacities by their keys of `[limits]`; what the journal has above them is put there.
    """

    name = "replica"

    def __init__(self, directory: Path, sizes: dict[str, int]) -> None:
        self.next_row = 1
        self.last_row = 0
        self.time_ns = 0
        self.registry = Registry()
        self._directory = directory
        self._sizes = sizes
        self._mapped: SegmentHeader | None = None
        self._space: RowSpace | None = None

    def poll(self, reader: JournalTail) -> int:
        """Replay what is new, up to about ROWS_A_POLL rows; give how many.

        ReplayDifference, DamageError: the journal does not say what an engine would make of it.
        OutgrownError: another is to be made, with the sizes that `sizes` has now.
        """
        if self._space is None:
            self._open(reader.segment)
        taken = 0
        for batch in replay(self.table, self.engine, self._batches(reader)):
            self.registry.apply_batch(self.table, batch.first_row, batch.input_rows)
            if self._has_outgrown():
                raise OutgrownError(f"row {batch.first_row} raises a capacity: begin again")
            self.time_ns = self.table.time_ns
            self.last_row = batch.last_row
            taken += batch.last_row + 1 - batch.first_row
            if batch.is_roll:
                self._close_segment()
        return taken

    def _open(self, first: SegmentHeader) -> None:
        self._space = RowSpace(first.first_row, _RESERVE_BYTES, first.rows * ROW_BYTES)
        self.table = RowTable(
            self._space.memory,
            origin_row=first.first_row,
            batch_rows=first.batch_rows,
            input_rows=first.input_rows,
        )
        sizes = self._sizes
        self.engine = Engine(
            self.table,
            order_capacity=sizes["orders"],
            id_capacity=sizes["ids"],
            level_capacity=sizes["levels"],
            session_capacity=sizes["sessions"],
            instrument_capacity=sizes["instruments"],
            account_capacity=sizes["accounts"],
        )

    def _batches(self, reader: JournalTail) -> Iterator[Batch]:
        """What is new, each batch's rows put in its place in our table."""
        table, space = self.table, self._space
        assert space is not None
        octets = memoryview(table.octets)
        for batch in reader.batches(ROWS_A_POLL):
            header = reader.segment
            if header is not self._mapped:
                space.map(self._directory, header, private=True)
                self._mapped = header
            last = batch.first_row + batch.row_count - 1
            start = (batch.first_row - table.origin_row) * ROW_BYTES
            # Pages that the engine has written to do not follow the file any more.
            octets[start : start + len(batch.octets)] = batch.octets
            table.time_ns = _time_of(batch.octets)
            table.batch_first = batch.first_row
            table.tail = last + 1
            yield Batch(
                batch.first_row,
                table.input_count(batch.first_row, last),
                last,
                0,
                header.batch_rows,
                header.input_rows,
                batch.row_count == 1 and batch.octets[0] == ROLL,
            )

    def _close_segment(self) -> None:
        """The segment is complete: let our copies of its pages go, and read the file's."""
        assert self._space is not None and self._mapped is not None
        self._space.map(self._directory, self._mapped, private=True)
        self.table.tail = self.table.batch_first = self._mapped.end_row

    def _has_outgrown(self) -> bool:
        """Whether a capacity is in force that these tables don't have; it is in `sizes` then."""
        largest = self.registry.largest
        short = {
            key: largest[code]
            for key, code in LIMITS.items()
            if largest.get(code, 0) > self._sizes[key]
        }
        self._sizes.update(short)
        return bool(short)


def _time_of(octets: memoryview) -> int:
    """Row time of the last row that has one: TEXT rows have text there."""
    at = len(octets) - ROW_BYTES
    while octets[at] == TEXT:
        at -= ROW_BYTES
    return int.from_bytes(octets[at + W_TIME * 8 : at + W_TIME * 8 + 8], "little")
