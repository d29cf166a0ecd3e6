"""The journal as a follower has read it: a table of its rows, and the names that they use.

Owns the mapping of segments as they come, privately, and the registry as of the batch read last.
So what a follower says of a row can look at any row before it. Must not know what it says.
"""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from portcullis.gateway.registry import Registry
from portcullis.gateway.saved_state import start_of
from portcullis.journal import rows
from portcullis.journal.reader import ReadBatch
from portcullis.journal.segments import RowSpace, SegmentHeader, list_segments
from portcullis.journal.snapshots import SnapshotError, list_snapshots, read_snapshot
from portcullis.journal.table import RowTable
from portcullis.journal.tail import JournalTail

_RESERVE_BYTES = 1 << 40


class FollowedRows:
    """Rows up to the batch taken last. table: a `RowTable`; registry: what they have named."""

    def __init__(
        self, directory: Path, reader: JournalTail, told: memoryview | None = None
    ) -> None:
        """Map what lies before the reader, and learn names and instruments from it.

        told: what another had been, before the reader; then no row need be looked at for them.
        """
        self.registry = Registry(remember=True)
        self._directory = directory
        # First rows of the segments mapped.
        self._starts: list[int] = []
        headers = list_segments(directory, from_first=False)
        first = headers[0]
        self._space = RowSpace(first.first_row, _RESERVE_BYTES, first.rows * rows.ROW_BYTES)
        self.table = RowTable(
            self._space.memory,
            origin_row=first.first_row,
            batch_rows=first.batch_rows,
            input_rows=first.input_rows,
        )
        if told is None:
            learnt = self._load_names(reader.next_row)
        else:
            self.registry.load(told)
            learnt = reader.next_row
        for header in headers:
            self._map(header)
            start = max(header.first_row, learnt)
            count = min(header.end_row, reader.next_row) - start
            if count > 0:
                self.table.tail = start + count
                self.registry.apply_batch(self.table, start, count)
            if header.number == reader.segment.number:
                break
        self.table.tail = reader.next_row

    @property
    def told(self) -> bytearray:
        """All rows that the registry was fed."""
        assert self.registry.told is not None
        return self.registry.told

    def take(self, batch: ReadBatch, header: SegmentHeader) -> None:
        """Take in a batch of the reader's."""
        self._map(header)
        table = self.table
        table.tail = batch.first_row + batch.row_count
        inputs = table.input_count(batch.first_row, table.tail - 1)
        self.registry.apply_batch(table, batch.first_row, inputs)

    def release(self, next_row: int) -> None:
        """Let go of segments that were pruned, up to a row that was read."""
        gone = self._space.take_pruned(self._directory, next_row)
        if gone:
            self.table.oldest_row = gone[-1].end_row
            self._space.release(gone)

    def segment_start(self, row: int) -> int:
        """The first row of the segment that holds a row: a reader can begin there."""
        return self._starts[max(bisect_right(self._starts, row) - 1, 0)]

    def _map(self, header: SegmentHeader) -> None:
        if not self._starts or header.first_row > self._starts[-1]:
            self._space.map(self._directory, header, private=True)
            self._starts.append(header.first_row)

    def _load_names(self, next_row: int) -> int:
        """Take names from a snapshot, where there is one; give the row from which on to look.

        The newest that is not beyond our next row; else the oldest, which names more than was
        known then, for the rows before it may be gone.
        """
        found = 0
        for path in reversed(list_snapshots(self._directory) if next_row > 1 else []):
            try:
                snapshot = read_snapshot(path)
            except (SnapshotError, OSError):
                continue
            told, found = snapshot.sections["registry"], start_of(snapshot).next_row
            if found <= next_row:
                break
        if found:
            self.registry.load(told)
        return found
