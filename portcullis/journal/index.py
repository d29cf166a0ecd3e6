"""Which rows are a session's numbered output: the head of its chain, and anchors along it.

Owns, per session, the last numbered output row, its number, and an anchor (number and row) for
about every ANCHOR_STEP numbers. Rows link backwards (W_PREV), so any number is found by walking
back from the nearest anchor at or above it. Must not know what the rows say.

Fed with each sealed batch, in order, also in recovery; holds nothing that the journal does not.
A numbered row whose W_PREV is 0 begins a new epoch of its session, and so does a RESET row: then
earlier rows of the session are out of reach here, but for those of OUCH days, which a
SYSTEM_EVENT row begins: so many of them as are to be kept stay to be asked for. Numbers of an
epoch ascend and may have holes.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from array import array
from bisect import bisect_left
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

# Also in index.pxd.
if not cython.compiled:
    ANCHOR_STEP = 256
DAYS_KEPT = 7

# Head row, last number, lowest row that its messages are written from, anchors.
Ended = tuple[int, int, int, "tuple[array[int], array[int]] | None"]


@cython.final
@cython.cclass
class SessionIndex:
    """Index over the rows of one table, for sessions 1 to session_capacity - 1.

    days_kept: of an OUCH session, so many days that have ended, the latest, are known.
    """

    def __init__(
        self, table: RowTable, *, session_capacity: int = 16384, days_kept: int = DAYS_KEPT
    ) -> None:
        self._table = table
        self._capacity = session_capacity
        self._head_row = memoryview(array("q", bytes(8 * session_capacity)))
        self._head_seq = memoryview(array("q", bytes(8 * session_capacity)))
        self._anchor_seq = memoryview(array("q", bytes(8 * session_capacity)))
        self._is_touched = memoryview(bytearray(session_capacity))
        self._touched: list[int] = []
        # Per session the anchors' numbers and rows, both ascending; None until the first.
        self._anchors: list[tuple[array[int], array[int]] | None] = [None] * session_capacity
        # Of OUCH sessions: the day at work, the lowest row that its messages are written from, and
        # what the days before left, oldest first.
        self._days: dict[int, int] = {}
        self._low_row = memoryview(array("q", bytes(8 * session_capacity)))
        self._ended: dict[int, dict[int, Ended]] = {}
        self._days_kept = days_kept

    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def observe(self, first_row: cython.longlong, last_row: cython.longlong) -> None:
        """Take in the rows of a sealed batch. O(rows).

        IndexError: rows that the table does not have, or a session beyond the capacity.
        """
        words: cython.longlong[::1] = self._table.words
        if not self._table.has_row(first_row) or not self._table.has_row(last_row):
            raise IndexError(f"rows {first_row} to {last_row} are not all in the table")
        resets: list[tuple[int, int, int]] = []
        row: cython.longlong
        offset: cython.longlong = self._table.at(first_row)
        head: cython.longlong
        kind: cython.longlong
        session: cython.longlong
        number: cython.longlong
        for row in range(first_row, last_row + 1):
            # In range: the table has each row; session < capacity is checked before it is used.
            head = words[offset + W_HEAD]
            kind = head & 0xFF
            number = words[offset + W_OUT_SEQ]
            if kind == RESET or (kind >= FIRST_OUTPUT and kind != TEXT and number > 0):
                session = head >> 32
                if not 0 <= session < self._capacity:
                    raise IndexError(f"session {session} of row {row} is beyond the index")
                if kind == RESET:
                    resets.append((row, session, words[offset + W_NEXT_OUT]))
                else:
                    if words[offset + W_PREV] == 0:
                        if kind == SYSTEM_EVENT:
                            self._begin_day(session, words[offset + W_SESSION_DAY])
                            self._low_row[session] = row
                        self._begin_epoch(session, number)
                    elif kind == REPORT and words[offset + W_ORDER] < self._low_row[session]:
                        # A bust of an earlier day's trade.
                        self._low_row[session] = words[offset + W_ORDER]
                    self._head_row[session] = row
                    self._head_seq[session] = number
                    if number >= self._anchor_seq[session] + ANCHOR_STEP:
                        self._add_anchor(session, number, row)
                    if not self._is_touched[session]:
                        self._is_touched[session] = 1
                        self._touched.append(session)
            offset += ROW_WORDS
        # A RESET is an input: rows after it may still be answers of the old epoch. It takes
        # effect here unless the new epoch's first row has been seen, which says the same.
        for row, session, number in resets:
            if not self._has_new_epoch(session, row):
                self._begin_epoch(session, number)
                self._head_row[session] = 0
                self._head_seq[session] = number - 1

    @cython.ccall
    @cython.exceptval(-1)
    def head_row(self, session: cython.longlong) -> cython.longlong:
        """The session's last numbered output row of its epoch; 0: none."""
        return self._head_row[session]

    @cython.ccall
    @cython.exceptval(-1)
    def head_seq(self, session: cython.longlong) -> cython.longlong:
        """The last number given out in the session's epoch; 0: none was, or one before a reset."""
        return self._head_seq[session]

    def save(self) -> list[tuple[str, memoryview]]:
        """What it holds, as buffers for `load`."""
        heads, anchors = array("q"), array("q")
        for session in range(self._capacity):
            head = self._head_row[session], self._head_seq[session], self._anchor_seq[session]
            if any(head):
                heads.extend((session, *head))
            one = self._anchors[session]
            if one is not None:
                anchors.extend((session, len(one[0])))
                anchors.extend(one[0])
                anchors.extend(one[1])
        days = array("q")
        for session, day in self._days.items():
            days.extend((session, day, 0, 0, self._low_row[session], 0))
        for session, of in self._ended.items():
            for day, (head_row, head_seq, low_row, ended) in of.items():
                count = len(ended[0]) if ended else 0
                days.extend((session, day, head_row, head_seq, low_row, count))
                if ended:
                    days.extend(ended[0])
                    days.extend(ended[1])
        return [
            ("index_heads", memoryview(heads)),
            ("index_anchors", memoryview(anchors)),
            ("index_days", memoryview(days)),
        ]

    def load(self, heads: memoryview, anchors: memoryview, days: memoryview) -> None:
        """Take what `save` gave of another, as bytes; IndexError: sessions beyond the capacity."""
        words = heads.cast("q")
        at: cython.longlong
        for at in range(0, len(words), 4):
            session = words[at]
            self._head_row[session] = words[at + 1]
            self._head_seq[session] = words[at + 2]
            self._anchor_seq[session] = words[at + 3]
        words = anchors.cast("q")
        at = 0
        while at < len(words):
            session, count = words[at], words[at + 1]
            middle, end = at + 2 + count, at + 2 + 2 * count
            self._anchors[session] = (
                array("q", words[at + 2 : middle]),
                array("q", words[middle:end]),
            )
            at = end
        words = days.cast("q")
        at = 0
        while at < len(words):
            session, day, count = words[at], words[at + 1], words[at + 5]
            head_row, head_seq, low_row = words[at + 2], words[at + 3], words[at + 4]
            middle, end = at + 6 + count, at + 6 + 2 * count
            if head_row:
                kept = (array("q", words[at + 6 : middle]), array("q", words[middle:end]))
                ended = (head_row, head_seq, low_row, kept if count else None)
                self._keep_day(session, day, ended)
            else:
                self._days[session] = day
                self._low_row[session] = low_row
            at = end

    def day(self, session: int) -> int:
        """OUCH: the day that a session's numbers are of; 0: none has begun."""
        return self._days.get(session, 0)

    def ended_seq(self, session: int, day: int) -> int:
        """OUCH: the last number of a day that has ended; 0: there was none, or it is not kept."""
        ended = self._ended.get(session, {}).get(day)
        return ended[1] if ended and ended[2] >= self._table.oldest_row else 0

    def oldest_row(self) -> int:
        """The lowest row that messages of OUCH days still known are written from; 0: none."""
        low = [self._low_row[session] for session in self._days]
        low += [ended[2] for of in self._ended.values() for ended in of.values()]
        return min(low, default=0)

    def walk_ended(self, session: int, day: int, from_seq: int, out: cython.longlong[::1]) -> int:
        """`walk` among the rows of a day that has ended. KeyError: there was none."""
        head_row, head_seq, _, anchors = self._ended[session][day]
        return self._walk(
            self._nearest(anchors, head_row, head_seq, from_seq + len(out) - 1), from_seq, out
        )

    def take_touched(self) -> list[int]:
        """Sessions with new numbered output since the last call, in order of appearance."""
        touched: list[int] = self._touched
        session: cython.longlong
        for session in touched:
            self._is_touched[session] = 0
        self._touched = []
        return touched

    @cython.ccall
    @cython.exceptval(-1)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def walk(
        self, session: cython.longlong, from_seq: cython.longlong, out: cython.longlong[::1]
    ) -> cython.longlong:
        """Fill `out` with the session's output rows, ascending, from number `from_seq` on.

        Gives how many; at least one where any number from `from_seq` on exists and is still in
        the table. Call again with the number after the last one's. O(ANCHOR_STEP + count).
        """
        if not 0 <= session < self._capacity:
            raise IndexError(f"session {session} is beyond the index")
        above: cython.longlong
        found: cython.longlong = self._walk(
            self._start(session, from_seq + len(out) - 1), from_seq, out
        )
        while found < 0:
            above = -found
            found = self._walk(self._start(session, above + len(out) - 1), above, out)
        return found

    @cython.cfunc
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _walk(
        self, row: cython.longlong, from_seq: cython.longlong, out: cython.longlong[::1]
    ) -> cython.longlong:
        """`walk` from a row down. Below 0: a hole as wide as `out`; go on at that number."""
        words: cython.longlong[::1] = self._table.words
        room: cython.longlong = len(out)
        top: cython.longlong = from_seq + room - 1
        above: cython.longlong = 0  # lowest number seen that is above the range asked for
        filled: cython.longlong = 0
        number: cython.longlong
        offset: cython.longlong
        while self._table.has_row(row):
            # In range: the table has the row; filled < room, as numbers in range are distinct
            # where the chain ascends, and the check ends the walk where it does not.
            offset = self._table.at(row)
            number = words[offset + W_OUT_SEQ]
            if number < from_seq or filled == room:
                break
            if number <= top:
                filled += 1
                out[room - filled] = row
            else:
                above = number
            row = words[offset + W_PREV] if words[offset + W_PREV] < row else 0
        if filled == 0:
            return -above if room else 0
        if filled < room:
            index: cython.longlong
            for index in range(filled):
                out[index] = out[room - filled + index]
        return filled

    @cython.cfunc
    def _start(self, session: cython.longlong, top: cython.longlong) -> cython.longlong:
        """The nearest row known whose number is `top` or above; the head where there is none."""
        return self._nearest(
            self._anchors[session], self._head_row[session], self._head_seq[session], top
        )

    @cython.cfunc
    def _nearest(
        self,
        anchors: Any,
        head_row: cython.longlong,
        head_seq: cython.longlong,
        top: cython.longlong,
    ) -> cython.longlong:
        if anchors is not None and head_seq > top:
            place = bisect_left(anchors[0], top)
            if place < len(anchors[0]):
                row: cython.longlong = anchors[1][place]
                return row
        return head_row

    @cython.cfunc
    def _begin_day(self, session: cython.longlong, day: cython.longlong) -> cython.void:
        if self._head_row[session]:
            ended = (
                self._head_row[session],
                self._head_seq[session],
                self._low_row[session],
                self._anchors[session],
            )
            self._keep_day(session, self._days[session], ended)
        self._days[session] = day

    def _keep_day(self, session: int, day: int, ended: Ended) -> None:
        of = self._ended.setdefault(session, {})
        of[day] = ended
        while len(of) > self._days_kept:
            del of[next(iter(of))]

    @cython.cfunc
    def _begin_epoch(self, session: cython.longlong, number: cython.longlong) -> cython.void:
        self._anchors[session] = None
        self._anchor_seq[session] = number - 1

    @cython.cfunc
    def _add_anchor(
        self, session: cython.longlong, number: cython.longlong, row: cython.longlong
    ) -> cython.void:
        anchors = self._anchors[session]
        if anchors is None:
            anchors = self._anchors[session] = (array("q"), array("q"))
        anchors[0].append(number)
        anchors[1].append(row)
        self._anchor_seq[session] = number

    @cython.cfunc
    def _has_new_epoch(self, session: cython.longlong, reset_row: cython.longlong) -> cython.bint:
        """Whether the chain from the session's head ends in a row after `reset_row`."""
        row: cython.longlong = self._head_row[session]
        while row > reset_row and self._table.has_row(row):
            if self._table.words[self._table.at(row) + W_PREV] == 0:
                return True
            row = self._table.words[self._table.at(row) + W_PREV]
        return False
