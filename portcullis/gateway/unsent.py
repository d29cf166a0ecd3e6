"""Messages of an epoch that has ended which its client may never have been sent.

Owns which rows they are: a RESET row names the end of the epoch before it and the first number in
doubt, SEND rows say what was numbered anew since. So the running gateway and one that starts from
the journal know the same. Must not know numbers to come, nor how anything is sent.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from portcullis.journal import rows
from portcullis.journal.table import RowTable

_APPLICATION_KINDS = frozenset(
    (
        rows.REPORT,
        rows.STATUS_REPORT,
        rows.CANCEL_REJECT,
        rows.MASS_CANCEL_REPORT,
        rows.REFUSED_DUPLICATE,
    )
)


def unsent_behind(table: RowTable, last_row: int, first_seq: int, left: array[int]) -> array[int]:
    """Rows to be numbered anew after a reset, ascending, with what the one before had `left`.

    last_row: the last numbered row of the epoch; first_seq: the first number in doubt, 0: none.
    Rows that have left the table are left out. O(rows in doubt).
    """
    found, oldest = set(left), max(table.oldest_row, 1)
    row = last_row if first_seq else 0
    while row >= oldest:
        words = table.row_words(row)
        if words[rows.W_OUT_SEQ] < first_seq:
            break
        kind = words[rows.W_HEAD] & 0xFF
        if kind in _APPLICATION_KINDS:
            found.add(row)
        elif kind == rows.SENT and words[rows.W_CAUSE] >= oldest:
            # One that was numbered anew already: what it repeats is in doubt again.
            found.add(table.word(words[rows.W_CAUSE], rows.W_REISSUE))
        row = words[rows.W_PREV]
    found.discard(0)
    return array("q", sorted(found))


class UnsentRows:
    """What each session is still owed, followed through the journal's batches at a start."""

    def __init__(self, table: RowTable) -> None:
        # By session: the first number of its epoch that was perhaps never sent; absent: not known.
        self.first_seq: dict[int, int] = {}
        # By session: rows of past epochs to be numbered anew.
        self.left: dict[int, array[int]] = {}
        # By session: time of its last RESET row, nanoseconds since the epoch.
        self.reset_ns: dict[int, int] = {}
        self._table = table

    def observe(self, first_row: int, input_rows: int) -> None:
        """Take in the input rows of the next batch."""
        table = self._table
        start = (first_row - table.origin_row) * rows.ROW_BYTES
        kinds = bytes(table.octets[start : start + input_rows * rows.ROW_BYTES : rows.ROW_BYTES])
        for kind in (rows.RESET, rows.SEND, rows.SESSION_EVENT):
            if kind == rows.SEND and not self.left:
                continue
            at = kinds.find(kind)
            while at >= 0:
                self._take(kind, first_row + at)
                at = kinds.find(kind, at + 1)

    def _take(self, kind: int, row: int) -> None:
        words = self._table.row_words(row)
        session = words[rows.W_HEAD] >> 32
        if kind == rows.SEND:
            left = self.left.get(session)
            if left and words[rows.W_REISSUE]:
                # They are numbered anew in their order.
                del left[: bisect_right(left, words[rows.W_REISSUE])]
                if not left:
                    del self.left[session]
            return
        if kind == rows.RESET:
            self.reset_ns[session] = words[rows.W_TIME]
            left = self.left.pop(session, array("q"))
            last, first = words[rows.W_UNSENT_ROW], words[rows.W_UNSENT]
            left = unsent_behind(self._table, last, first, left)
            if left:
                self.left[session] = left
        elif words[rows.W_EVENT] == rows.EVENT_ORDERS_CANCELLED:
            return  # of no connection
        self.first_seq[session] = words[rows.W_NEXT_OUT]
