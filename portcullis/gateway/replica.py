"""A second engine, in another process, that replays what the gateway writes.

Owns a copy of the venue's state some moments behind, for whatever wants to look at it: orders,
books, sessions, snapshots, files of the sessions' index. Each batch is run again and compared with
what the gateway recorded, so a gateway whose engine was not a function of its rows is found out
(`ReplayDifference`). Must never write to the journal, nor be asked by the gateway.

Segments are mapped privately: what the engine writes while it replays stays in this process, and
goes when the segment has been closed. So a replica takes the engine's tables and one segment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from portcullis.gateway.registry import LIMITS, Registry
from portcullis.gateway.saved_state import (
    Known,
    latest,
    load,
    make_engine,
    outgrown,
    save,
    start_of,
)
from portcullis.gateway.streams import Streams
from portcullis.gateway.unsent import UnsentRows
from portcullis.journal.index import DAYS_KEPT, SessionIndex
from portcullis.journal.index_files import IndexFiles, IndexSweep
from portcullis.journal.reader import JournalReader
from portcullis.journal.recovery import Batch, Start
from portcullis.journal.replay import replay
from portcullis.journal.rows import ROLL, ROW_BYTES, TEXT, W_TIME
from portcullis.journal.segments import (
    RowSpace,
    SegmentHeader,
    list_segments,
    segment_path,
)
from portcullis.journal.table import RowTable
from portcullis.journal.tail import JournalTail

ROWS_A_POLL = 32_768  # some 20 ms of replay
_RESERVE_BYTES = 1 << 40
# Of ended days in a snapshot for whoever reads it; they are forgotten there as configured.
DAYS_MOST = 1000


class OutgrownError(Exception):
    """The journal puts capacities in force that are above those of our tables."""


class Replica:
    """State as of `last_row`, moved on by `poll`. A follower (`followers.Follower`).

    sizes: capacities by their keys of `[limits]`; what the journal has above them is put there.
    snapshot_every: rows between two snapshots, 0: none are written. It begins at the newest one.
    """

    name = "replica"

    def __init__(
        self,
        directory: Path,
        sizes: dict[str, int],
        *,
        snapshot_every: int = 0,
        days_kept: int = DAYS_KEPT,
    ) -> None:
        self.last_row = 0
        self.time_ns = 0
        # Last row of the newest snapshot.
        self.snapshot_row = 0
        self._directory = directory
        self._sizes = sizes
        self._days_kept = days_kept
        self._every = snapshot_every
        self._mapped: SegmentHeader | None = None
        self._space: RowSpace | None = None
        self._snapshot = latest(directory, sizes, [])
        self.next_row = start_of(self._snapshot).next_row if self._snapshot else 1

    def poll(self, reader: JournalTail) -> int:
        """Replay what is new, up to about ROWS_A_POLL rows; give how many.

        ReplayDifference, DamageError: the journal does not say what an engine would make of it.
        OutgrownError: another is to be made, with the sizes that `sizes` has now.
        """
        if self._space is None:
            self._open(reader)
        taken = 0
        for batch in replay(self.table, self.engine, self._batches(reader)):
            self.registry.apply_batch(self.table, batch.first_row, batch.input_rows)
            if outgrown(self._sizes, self.registry):
                raise OutgrownError(f"row {batch.first_row} raises a capacity: begin again")
            self._known.observe(batch)
            self.time_ns = self.table.time_ns
            self.last_row = batch.last_row
            taken += batch.last_row + 1 - batch.first_row
            if batch.is_roll:
                self._close_segment()
        if self._mapped is not None:
            # Pages of the segment at work are ours, without seals.
            self._sweep.go_on(self._mapped.first_row)
        if self._every and self.last_row - self.snapshot_row >= self._every:
            self.save(reader)
        return taken

    def release(self) -> None:
        """See `followers.Follower`."""
        if self._space is None:
            return
        self._known.index.forget()
        gone = self._space.take_pruned(self._directory, self.next_row)
        if gone:
            self.table.oldest_row = gone[-1].end_row
            self._space.release(gone)

    def save(self, reader: JournalTail) -> Path:
        """Write a snapshot as of now. Its rows are forced to disk first: a snapshot must never
        know more than the journal."""
        for header in list_segments(self._directory, from_first=False):
            if header.end_row > self.snapshot_row and header.first_row <= self.last_row:
                with segment_path(self._directory, header.number).open("rb+") as file:
                    os.fsync(file.fileno())
        assert reader.crc is not None
        start = Start(reader.next_row, self.last_row, reader.crc, self.time_ns)
        path = save(self._directory, self._known, self._sizes, start)
        self.snapshot_row = self.last_row
        self.next_row = start.next_row
        return path

    def _open(self, reader: JournalTail) -> None:
        segments = list_segments(self._directory, from_first=False)
        first = segments[0]
        floor = (segments[-1].end_row - 1 + first.rows) * ROW_BYTES
        self._space = RowSpace(1, _RESERVE_BYTES, floor)
        self.table = RowTable(
            self._space.memory, batch_rows=first.batch_rows, input_rows=first.input_rows
        )
        self.table.tail = self.table.batch_first = self.next_row
        self.table.oldest_row = first.first_row
        for header in segments:
            if header.end_row <= reader.next_row:
                self._space.map(self._directory, header, private=True)
        self.engine = make_engine(self.table, self._sizes)
        self.registry = Registry(remember=True)
        files, sessions = IndexFiles(self._directory), self._sizes["sessions"]
        self._sweep = IndexSweep(files, self.table, sessions)
        index = SessionIndex(
            self.table, session_capacity=sessions, days_kept=self._days_kept, files=files
        )
        unsent, streams = UnsentRows(self.table), Streams(self.table)
        self._known = Known(self.engine, index, self.registry, unsent, streams)
        if self._snapshot is not None:
            load(self._snapshot, self._known)
            start = start_of(self._snapshot)
            self.last_row = self.snapshot_row = start.last_row
            self.time_ns = self.table.time_ns = start.time_ns
            reader.crc = start.crc
            self._snapshot = None

    def _batches(self, reader: JournalTail) -> Iterator[Batch]:
        """What is new, each batch's rows put in its place in our table."""
        table, space = self.table, self._space
        assert space is not None
        octets = memoryview(table.octets)
        for batch in reader.batches(ROWS_A_POLL):
            header = reader.segment
            if header != self._mapped:
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


def snapshot_at_end(directory: Path) -> Path:
    """Write a snapshot as of the journal's last row; the caller holds the directory's lock.

    JournalError: the journal does not replay, or good batches stand behind where that ends.
    """
    sizes = dict.fromkeys(LIMITS, 1)
    while True:
        replica = Replica(directory, sizes, days_kept=DAYS_MOST)
        reader = JournalTail(directory, replica.next_row)
        with suppress(OutgrownError):
            while replica.poll(reader):
                pass
            rest = JournalReader(directory)
            for _batch in rest.batches(reader.next_row):
                pass
            rest.check()
            return replica.save(reader)


def _time_of(octets: memoryview) -> int:
    """Row time of the last row that has one: TEXT rows have text there."""
    at = len(octets) - ROW_BYTES
    while octets[at] == TEXT:
        at -= ROW_BYTES
    return int.from_bytes(octets[at + W_TIME * 8 : at + W_TIME * 8 + 8], "little")
