"""Follows a journal behind its writer: sealed batches as they come, each reader at its own row.

Owns a cursor over the segment files, without the lock and without writing. A batch is given out
once its seal fits its bytes, so one that is being written is simply not there yet. What a walk
from outside says of damage is `reader`'s; a follower that finds none waits. Whoever knows that
the writer has sealed more asks whether it `is_damaged`.

    tail = JournalTail(directory, next_row)
    for batch in tail.batches(rows_max): ...     # those there are now, up to about so many rows
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from crc32c import crc32c

from portcullis.journal.errors import DamageError, SegmentError
from portcullis.journal.reader import ReadBatch, batch_at
from portcullis.journal.rows import ROLL
from portcullis.journal.segments import (
    SegmentHeader,
    list_segments,
    read_header,
    segment_path,
)


class JournalTail:
    """A cursor. next_row: the first row of the batch to be read next; it may not exist yet.

    segment: the header of the segment that holds it. crc: of the batch before it, None: not known.
    SegmentError where `next_row` lies before all segments, or beyond the one being written.
    """

    def __init__(self, directory: Path, next_row: int = 1) -> None:
        self.directory = directory
        self.next_row = next_row
        # The CRC of the batch before; None: not known, the first batch read is taken as it is.
        self.crc: int | None = 0 if next_row == 1 else None
        self.segment = self._find(next_row)
        self._rows = self._open(self.segment)

    def batches(self, rows_max: int) -> Iterator[ReadBatch]:
        """What is sealed from `next_row` on, in order, until `rows_max` rows or more are read.

        A batch's rows are valid until the next is asked for. DamageError: a batch that does not
        follow the one before it, or a segment that can't be used; call again once it is mended.
        """
        taken = 0
        while taken < rows_max:
            if self.next_row >= self.segment.end_row and not self._go_on():
                return
            found = batch_at(self._rows, self.segment, self.next_row, crc32c)
            if found is None:
                return
            octets, link, crc = found
            with octets:
                if self.crc is not None and link != self.crc:
                    text = f"row {self.next_row}: does not follow the batch before it"
                    raise DamageError(self.next_row, text)
                self.crc = crc
                batch = ReadBatch(self.next_row, self.segment.number, octets)
                count = batch.row_count
                rolled = count == 1 and octets[0] == ROLL
                yield batch
            taken += count
            self.next_row = self.segment.end_row if rolled else self.next_row + count

    def skip_to(self, row: int, crc: int) -> bool:
        """Go on behind the batch that begins at `row`, if it is there, good, and has that CRC.

        Whether it is; else nothing changes.
        """
        with suppress(SegmentError, DamageError):
            other = JournalTail(self.directory, row)
            if sum(1 for _batch in other.batches(1)) and other.crc == crc:
                self.next_row, self.crc = other.next_row, crc
                self.segment, self._rows = other.segment, other._rows
                return True
        return False

    def is_pruned(self) -> bool:
        """Whether the segment of `next_row` has gone from the directory."""
        return not segment_path(self.directory, self.segment.number).exists()

    def pass_pruned(self) -> None:
        """Where it has, go on with the oldest segment that is there, and let go of the other.

        For who holds no rows back. FileNotFoundError: that one has just gone, too; call again.
        """
        if self.is_pruned():
            oldest = list_segments(self.directory, from_first=False)[0]
            self._rows = self._open(oldest)
            self.segment, self.next_row, self.crc = oldest, oldest.first_row, None

    def is_damaged(self) -> bool:
        """Whether no good batch is at `next_row`, which the writer is known to have sealed."""
        if self.next_row >= self.segment.end_row and not self._go_on():
            return True
        found = batch_at(self._rows, self.segment, self.next_row, crc32c)
        if found is not None:
            found[0].release()
        return found is None

    def _go_on(self) -> bool:
        """Open the segment behind; False: the writer has not come to it, or it was pruned."""
        try:
            segment = read_header(segment_path(self.directory, self.segment.number + 1))
            self._rows = self._open(segment)
        except FileNotFoundError:
            return False
        except SegmentError as error:
            raise DamageError(self.next_row, str(error)) from None
        self.segment = segment
        return True

    def _find(self, row: int) -> SegmentHeader:
        for header in list_segments(self.directory, from_first=False):
            if header.first_row <= row < header.end_row:
                return header
        raise SegmentError(f"{self.directory}: row {row} is in no segment")

    def _open(self, header: SegmentHeader) -> mmap.mmap:
        with segment_path(self.directory, header.number).open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
