"""Messages of an epoch that has ended which its client may not have.

Owns which rows they are: a RESET row names the end of the epoch before it and the first number in
doubt, SEND rows say what was numbered anew since. So the running gateway and one that starts from
the journal know the same. They are reports and BusinessMessageRejects(j): all that tells what
became of a message, and nothing that an echo said. Which number is the first in doubt is
`row_store`'s to say. Must not know numbers to come, nor how anything is sent.
"""

# mypy: disable-error-code="valid-type"
from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

# MsgType(35) of BusinessMessageReject, as a SEND row has it.
BUSINESS_REJECT = 0x6A


def unsent_behind(
    table: RowTable, last_row: cython.longlong, first_seq: cython.longlong, left: array[int]
) -> array[int]:
    """Rows to be numbered anew after a reset, ascending, with what the one before had `left`.

    last_row: the last numbered row of the epoch; first_seq: the first number in doubt, 0: none.
    Rows that have left the table are left out. O(rows in doubt), and a copy of `left`: a client
    that is owed much may ask for a reset as often as it likes.
    """
    found = array("q")
    row: cython.longlong = last_row if first_seq else 0
    kind: cython.longlong
    cause: cython.longlong
    while row and table.has_row(row) and table.word(row, W_OUT_SEQ) >= first_seq:
        kind = table.word(row, W_HEAD) & 0xFF
        cause = table.word(row, W_CAUSE)
        if kind == SENT:
            if not table.has_row(cause):
                pass
            elif table.word(cause, W_REISSUE):
                # One that was numbered anew already: what it repeats is in doubt again.
                found.append(table.word(cause, W_REISSUE))
            elif table.word(cause, W_MSG_TYPE) == BUSINESS_REJECT:
                found.append(row)
        elif (
            kind == REPORT
            or kind == STATUS_REPORT
            or kind == CANCEL_REJECT
            or kind == MASS_CANCEL_REPORT
            or kind == REFUSED_DUPLICATE
        ):
            found.append(row)
        row = table.word(row, W_PREV)
    found = array("q", sorted(set(found)))
    if not found or not left:
        return found or left
    # What was numbered anew stands before all that is left, what was first told since behind it.
    place = bisect_left(found, left[0])
    if place == bisect_right(found, left[-1]):
        return found[:place] + left + found[place:]
    return array("q", sorted({*found, *left}))


class UnsentRows:
    """What each session is still owed, followed through the journal's batches at a start."""

    def __init__(self, table: RowTable) -> None:
        # By session: the first number of its epoch that its client may not have; absent: unknown.
        self.first_seq: dict[int, int] = {}
        # By session: rows of past epochs to be numbered anew.
        self.left: dict[int, array[int]] = {}
        # By session: times of its last RESET row, and of the last that its client asked for,
        # nanoseconds since the epoch.
        self.reset_ns: dict[int, int] = {}
        self.asked_ns: dict[int, int] = {}
        self._table = table

    def save(self) -> dict[str, Any]:
        """What it holds, for `load`."""
        return {
            "first_seq": list(self.first_seq.items()),
            "left": [(session, list(left)) for session, left in self.left.items()],
            "reset_ns": list(self.reset_ns.items()),
            "asked_ns": list(self.asked_ns.items()),
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Take what `save` gave of another, but for rows that have left the table."""
        oldest = self._table.oldest_row
        self.first_seq = dict(saved["first_seq"])
        self.left = {
            session: array("q", (row for row in left if row >= oldest))
            for session, left in saved["left"]
        }
        self.reset_ns = dict(saved["reset_ns"])
        self.asked_ns = dict(saved["asked_ns"])

    def observe(self, first_row: int, input_rows: int) -> None:
        """Take in the input rows of the next batch."""
        table = self._table
        start = (first_row - table.origin_row) * ROW_BYTES
        kinds = bytes(table.octets[start : start + input_rows * ROW_BYTES : ROW_BYTES])
        for kind in (RESET, SEND, SESSION_EVENT):
            if kind == SEND and not self.left:
                continue
            at = kinds.find(kind)
            while at >= 0:
                self._take(kind, first_row + at)
                at = kinds.find(kind, at + 1)

    def _take(self, kind: int, row: int) -> None:
        words = self._table.row_words(row)
        session = words[W_HEAD] >> 32
        if kind == SEND:
            left = self.left.get(session)
            if left and words[W_REISSUE]:
                # They are numbered anew in their order.
                del left[: bisect_right(left, words[W_REISSUE])]
                if not left:
                    del self.left[session]
            return
        if kind == RESET:
            self.reset_ns[session] = words[W_TIME]
            if words[W_HEAD] >> 8 & F_ASKED:
                self.asked_ns[session] = words[W_TIME]
            left = self.left.pop(session, array("q"))
            left = unsent_behind(self._table, words[W_UNSENT_ROW], words[W_UNSENT], left)
            if left:
                self.left[session] = left
        elif words[W_EVENT] == EVENT_ORDERS_CANCELLED:
            return  # of no connection
        self.first_seq[session] = words[W_NEXT_OUT]
