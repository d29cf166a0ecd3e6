"""Looks for damage in rows that no start reads: those before the snapshot that it begins at.

Owns one walk, seal by seal, from the oldest segment to where the replica has begun, which reads on
from there. All of these rows were sealed, so where no good batch follows is damage. Holds no rows
back: what is archived or pruned meanwhile is passed over. Must not know who is told.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from portcullis.journal.errors import DamageError
from portcullis.journal.tail import JournalTail

ROWS_A_POLL = 4096  # 1 ms, 9 where each batch is of one order


class RowCheck:
    """A follower (`followers.Follower`) that has an end.

    end_row: the first row that others read. ended: called there with 0, or at the first damage
    with its row; not to be polled again.
    """

    name = "row-check"

    def __init__(self, next_row: int, end_row: int, ended: Callable[[int], None]) -> None:
        self.next_row = next_row
        self._end_row = end_row
        self._ended = ended

    def poll(self, reader: JournalTail) -> int:
        """Check some of the rows; give how many."""
        try:
            reader.pass_pruned()
        except FileNotFoundError:  # the next one went while it was looked at
            return 0
        before, taken = reader.next_row, 0
        with suppress(DamageError):
            for batch in reader.batches(min(ROWS_A_POLL, self._end_row - before)):
                taken += batch.row_count
        if reader.next_row >= self._end_row:
            self._ended(0)
        elif reader.next_row == before and not reader.is_pruned():
            self._ended(before)
        return taken

    def release(self) -> None:
        """See `followers.Follower`. A segment that has gone is let go of by the next poll."""
