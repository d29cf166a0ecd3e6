"""Which rows are a session's numbered output: the head of its chain, and anchors along it.

Owns, per session, the last numbered output row, its number, and the epoch's first row. Rows link
backwards (W_PREV), so any number is found by walking back from the nearest anchor at or above it.
Anchors stand in blocks of rows (`anchors`): those of the block being written here, those of the
ones before in mapped files, which another process writes (`index_files`). What such a file says is
only where to begin: the row is asked, and where there is no good file, anchors are made from rows.
Must not know what the rows say.

Fed with each sealed batch, in order, also in recovery; holds nothing that the journal does not.
A numbered row whose W_PREV is 0 begins a new epoch of its session, and so does a RESET row: then
earlier rows of the session are out of reach here, but for those of OUCH days, which a
SYSTEM_EVENT row begins: so many of them as are to be kept stay to be asked for. Numbers of an
epoch ascend and may have holes.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from array import array
from typing import Protocol

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.journal.anchors import OpenBlock
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.journal.anchors import OpenBlock
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

from portcullis.journal.anchors import add_rows, anchors_of, find, first_number

DAYS_KEPT = 7
# Of a block of anchors: a segment's, unless told otherwise.
BLOCK_ROWS = 1 << 20

# Head row, last number, lowest row that its messages are written from, first row.
Ended = tuple[int, int, int, int]


class Blocks(Protocol):
    """Files of anchors: `index_files.IndexFiles`."""

    block_rows: int

    def read(self, block: int, table: RowTable) -> memoryview | None:
        """The entries of a block, if there is a file of them that is good."""


@cython.final
@cython.cclass
class SessionIndex:
    """Index over the rows of one table, for sessions 1 to session_capacity - 1.

    days_kept: of an OUCH session, so many days that have ended, the latest, are known. files:
    where anchors may be read; without, all are kept in memory.
    """

    def __init__(
        self,
        table: RowTable,
        *,
        session_capacity: int = 16384,
        days_kept: int = DAYS_KEPT,
        files: Blocks | None = None,
    ) -> None:
        self._table = table
        self._capacity = session_capacity
        self._head_row = memoryview(array("q", bytes(8 * session_capacity)))
        self._head_seq = memoryview(array("q", bytes(8 * session_capacity)))
        # By session: the first row of its epoch.
        self._first_row = memoryview(array("q", bytes(8 * session_capacity)))
        self._is_touched = memoryview(bytearray(session_capacity))
        self._touched: list[int] = []
        self._files = files
        self._block_rows = BLOCK_ROWS if files is None else files.block_rows
        # The anchors of the block being written, which ends before that row; 0: none is yet.
        self._open = OpenBlock(session_capacity)
        self._block_end = 0
        # By block: entries, made here or mapped; and those of them that no file was found for.
        self._blocks: dict[int, memoryview] = {}
        self._unsaved: set[int] = set()
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
        if first_row >= self._block_end:
            self._open_block(first_row)
        for row in range(first_row, last_row + 1):
            if row == self._block_end:
                self._open_block(row)
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
                        self._first_row[session] = row
                    elif kind == REPORT and words[offset + W_ORDER] < self._low_row[session]:
                        # A bust of an earlier day's trade.
                        self._low_row[session] = words[offset + W_ORDER]
                    self._head_row[session] = row
                    self._head_seq[session] = number
                    self._open.add(session, number, row, words[offset + W_PREV] == 0)
                    if not self._is_touched[session]:
                        self._is_touched[session] = 1
                        self._touched.append(session)
            offset += ROW_WORDS
        # A RESET is an input: rows after it may still be answers of the old epoch. It takes
        # effect here unless the new epoch's first row has been seen, which says the same.
        for row, session, number in resets:
            if not self._has_new_epoch(session, row):
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
        """What it holds but for anchors, which rows or files give back, as buffers for `load`."""
        heads = array("q")
        for session in range(self._capacity):
            head = self._head_row[session], self._head_seq[session], self._first_row[session]
            if any(head):
                heads.extend((session, *head))
        days = array("q")
        for session, day in self._days.items():
            days.extend((session, day, 0, 0, self._low_row[session], 0))
        for session, of in self._ended.items():
            for day, ended in of.items():
                days.extend((session, day, *ended))
        return [("index_heads", memoryview(heads)), ("index_days", memoryview(days))]

    def load(self, heads: memoryview, days: memoryview) -> None:
        """Take what `save` gave of another, as bytes; IndexError: sessions beyond the capacity."""
        words = heads.cast("q")
        at: cython.longlong
        for at in range(0, len(words), 4):
            session = words[at]
            self._head_row[session] = words[at + 1]
            self._head_seq[session] = words[at + 2]
            self._first_row[session] = words[at + 3]
        words = days.cast("q")
        for at in range(0, len(words), 6):
            session, day, head_row = words[at], words[at + 1], words[at + 2]
            if head_row:
                self._keep_day(
                    session, day, (head_row, words[at + 3], words[at + 4], words[at + 5])
                )
            else:
                self._days[session] = day
                self._low_row[session] = words[at + 4]

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
        head_row, head_seq, _, first_row = self._ended[session][day]
        top = from_seq + len(out) - 1
        return self._walk(
            self._nearest(session, first_row, head_row, head_seq, top), from_seq, out
        )

    def forget(self) -> None:
        """Let anchors go from memory that stand in files by now, or whose rows are gone.

        Called now and then. A system call for each block that no file was found for.
        """
        oldest = self._block_of(self._table.oldest_row)
        for block in [one for one in self._blocks if one < oldest]:
            del self._blocks[block]
            self._unsaved.discard(block)
        files = self._files
        if files is None:
            return
        for block in list(self._unsaved):
            found = files.read(block, self._table)
            if found is not None:
                self._blocks[block] = found
                self._unsaved.remove(block)

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
        if self._head_seq[session] <= top:
            return self._head_row[session]
        return self._nearest(
            session,
            self._first_row[session],
            self._head_row[session],
            self._head_seq[session],
            top,
        )

    # --- anchors -------------------------------------------------------------------------------

    def _nearest(
        self, session: int, first_row: int, head_row: int, head_seq: int, top: int
    ) -> int:
        """`_start` in an epoch of the session. O(log blocks), where it is in most of them."""
        if not head_row or head_seq <= top:
            return head_row
        first_row = max(first_row, self._table.oldest_row)
        low, end = self._block_of(first_row), self._block_of(head_row) + 1
        # The answer is in `base`, or the first anchor behind it: in `end`, or the head.
        base, behind = low, 0
        while end - low > 1:
            middle = (low + end) // 2
            at, number = middle, 0
            while at > low and not (number := self._first_of(at, session, first_row, head_row)):
                at -= 1
            if not number:
                low = middle
            elif number <= top:
                base, low = at, middle
            else:
                end, behind = at, at
        row = self._find(base, session, first_row, head_row, top)
        if not row and behind:
            row = self._find(behind, session, first_row, head_row, top)
        if row and not self._is_numbered(session, row, first_row, head_row, top):
            # A file that fits its checksum and says what is not so: made anew, from rows.
            for block in {base, behind or base}:
                self._make(block)
            return head_row
        return row or head_row

    def _is_numbered(
        self, session: int, row: int, first_row: int, head_row: int, top: int
    ) -> bool:
        """Whether a row is what its anchor says: the session's, of the epoch, not below `top`."""
        table = self._table
        if not (first_row <= row <= head_row and table.has_row(row)):
            return False
        head = table.word(row, W_HEAD)
        return (
            head >> 32 == session
            and head & 0xFF >= FIRST_OUTPUT
            and head & 0xFF != TEXT
            and table.word(row, W_OUT_SEQ) >= top
        )

    def _block_of(self, row: int) -> int:
        return (row - 1) // self._block_rows

    def _first_of(self, block: int, session: int, first_row: int, last_row: int) -> int:
        """The number of an epoch's first anchor in a block; 0: there is none."""
        if self._is_open(block):
            return self._open.first_number(session, first_row, last_row)
        return first_number(self._entries_of(block), session, first_row, last_row)

    def _find(self, block: int, session: int, first_row: int, last_row: int, top: int) -> int:
        if self._is_open(block):
            return self._open.find(session, first_row, last_row, top)
        return find(self._entries_of(block), session, first_row, last_row, top)

    def _is_open(self, block: int) -> bool:
        return (block + 1) * self._block_rows + 1 == self._block_end

    def _entries_of(self, block: int) -> memoryview:
        entries = self._blocks.get(block)
        if entries is None and self._files is not None:
            entries = self._files.read(block, self._table)
            if entries is not None:
                self._blocks[block] = entries
        return self._make(block) if entries is None else entries

    def _make(self, block: int) -> memoryview:
        """From rows: some milliseconds, where the file is not there."""
        first_row = block * self._block_rows + 1
        entries = anchors_of(self._table, first_row, first_row + self._block_rows, self._capacity)
        self._blocks[block] = entries
        self._unsaved.add(block)
        return entries

    def _open_block(self, row: int) -> None:
        """A block begins, or goes on where a snapshot was: its rows before are read again."""
        if self._block_end:
            block = self._block_of(self._block_end - 1)
            self._blocks[block] = self._open.close()
            self._unsaved.add(block)
        block = self._block_of(row)
        self._block_end = (block + 1) * self._block_rows + 1
        self._blocks.pop(block, None)
        self._unsaved.discard(block)
        add_rows(self._open, self._table, block * self._block_rows + 1, row, self._capacity)

    # --- epochs --------------------------------------------------------------------------------

    @cython.cfunc
    def _begin_day(self, session: cython.longlong, day: cython.longlong) -> cython.void:
        if self._head_row[session]:
            ended = (
                self._head_row[session],
                self._head_seq[session],
                self._low_row[session],
                self._first_row[session],
            )
            self._keep_day(session, self._days[session], ended)
        self._days[session] = day

    def _keep_day(self, session: int, day: int, ended: Ended) -> None:
        of = self._ended.setdefault(session, {})
        of[day] = ended
        while len(of) > self._days_kept:
            del of[next(iter(of))]

    @cython.cfunc
    def _has_new_epoch(self, session: cython.longlong, reset_row: cython.longlong) -> cython.bint:
        """Whether the chain from the session's head ends in a row after `reset_row`."""
        row: cython.longlong = self._head_row[session]
        while row > reset_row and self._table.has_row(row):
            if self._table.words[self._table.at(row) + W_PREV] == 0:
                return True
            row = self._table.words[self._table.at(row) + W_PREV]
        return False
