"""Anchors of a block of rows: of each session, which row has about every so many-th number.

Owns how they are chosen, kept and looked up. Anchors of a block are a function of its rows alone:
of each session the first numbered output row there, the first of an epoch, and then one for about
every ANCHOR_STEP numbers. Must not know files, nor which epoch is asked for.

An entry of a block that is complete has three words, session, number, row; sorted by session,
then by row. Within an epoch numbers ascend with rows.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from array import array

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

# Also in anchors.pxd.
if not cython.compiled:
    ANCHOR_STEP = 256
    WORDS = 3
    # Of an open block: session, number, row, and where the session's entry before stands.
    OPEN_WORDS = 4
ENTRY_WORDS: int = WORDS
_FIRST_ENTRIES = 1024


@cython.final
@cython.cclass
class OpenBlock:
    """The block that is being written, of sessions below `session_capacity`."""

    def __init__(self, session_capacity: int) -> None:
        # By session: the number from which on there is to be an anchor; its last entry's place.
        self._due = memoryview(array("q", bytes(8 * session_capacity)))
        self._last = memoryview(array("q", [-1]) * session_capacity)
        self._entries = memoryview(array("q", bytes(8 * OPEN_WORDS * _FIRST_ENTRIES)))
        self._count = 0

    @cython.cfunc
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def add(
        self,
        session: cython.longlong,
        number: cython.longlong,
        row: cython.longlong,
        is_first: cython.bint,
    ) -> cython.void:
        """The next numbered output row; is_first: of its epoch. The caller has checked session."""
        if number < self._due[session] and not is_first:
            return
        at: cython.longlong = self._count * OPEN_WORDS
        if at == len(self._entries):
            self._grow()
        self._entries[at] = session
        self._entries[at + 1] = number
        self._entries[at + 2] = row
        self._entries[at + 3] = self._last[session]
        self._last[session] = at
        self._due[session] = number + ANCHOR_STEP
        self._count += 1

    @cython.cfunc
    def _grow(self) -> cython.void:
        larger = array("q", self._entries)
        larger.extend(larger)
        self._entries = memoryview(larger)

    def find(
        self,
        session: cython.longlong,
        first_row: cython.longlong,
        last_row: cython.longlong,
        top: cython.longlong,
    ) -> int:
        """The first row of an epoch, which has those rows, at `top` or above; 0: none is."""
        found: cython.longlong = 0
        at: cython.longlong = self._upto(session, last_row)
        while at >= 0 and self._entries[at + 2] >= first_row and self._entries[at + 1] >= top:
            found = self._entries[at + 2]
            at = self._entries[at + 3]
        return found

    def first_number(
        self, session: cython.longlong, first_row: cython.longlong, last_row: cython.longlong
    ) -> int:
        """The number of an epoch's first anchor here; 0: there is none."""
        found: cython.longlong = 0
        at: cython.longlong = self._upto(session, last_row)
        while at >= 0 and self._entries[at + 2] >= first_row:
            found = self._entries[at + 1]
            at = self._entries[at + 3]
        return found

    @cython.cfunc
    @cython.exceptval(check=False)
    def _upto(self, session: cython.longlong, last_row: cython.longlong) -> cython.longlong:
        at: cython.longlong = self._last[session]
        while at >= 0 and self._entries[at + 2] > last_row:
            at = self._entries[at + 3]
        return at

    def close(self) -> memoryview:
        """The block is complete: give its entries, sorted, and begin the next. O(sessions)."""
        count: cython.longlong = self._count
        starts: cython.longlong[::1] = memoryview(array("q", bytes(8 * (1 + len(self._last)))))
        made = memoryview(array("q", bytes(8 * WORDS * count)))
        entries: cython.longlong[::1] = made if count else self._due
        at: cython.longlong
        to: cython.longlong
        session: cython.longlong
        for at in range(0, count * OPEN_WORDS, OPEN_WORDS):
            starts[self._entries[at] + 1] += 1
        for session in range(len(self._last)):
            starts[session + 1] += starts[session]
        for at in range(0, count * OPEN_WORDS, OPEN_WORDS):
            session = self._entries[at]
            to = starts[session] * WORDS
            starts[session] += 1
            entries[to] = session
            entries[to + 1] = self._entries[at + 1]
            entries[to + 2] = self._entries[at + 2]
            self._due[session] = 0
            self._last[session] = -1
        self._count = 0
        return made


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
def add_rows(
    block: OpenBlock,
    table: RowTable,
    first_row: cython.longlong,
    end_row: cython.longlong,
    session_capacity: cython.longlong,
) -> None:
    """Add the rows from `first_row` to before `end_row`, as far as the table has them. O(rows)."""
    words: cython.longlong[::1] = table.words
    first: cython.longlong = max(first_row, table.oldest_row)
    end: cython.longlong = min(end_row, table.tail)
    row: cython.longlong
    kind: cython.longlong
    session: cython.longlong
    offset: cython.longlong = (first - table.origin_row) * ROW_WORDS
    for row in range(first, end):
        # In range: the table has each row; session is checked.
        kind = words[offset] & 0xFF
        if kind >= FIRST_OUTPUT and kind != TEXT and words[offset + W_OUT_SEQ] > 0:
            session = words[offset] >> 32
            if 0 <= session < session_capacity:
                block.add(session, words[offset + W_OUT_SEQ], row, words[offset + W_PREV] == 0)
        offset += ROW_WORDS


def anchors_of(table: RowTable, first_row: int, end_row: int, session_capacity: int) -> memoryview:
    """The entries of a block, made from its rows."""
    block = OpenBlock(session_capacity)
    add_rows(block, table, first_row, end_row, session_capacity)
    return block.close()


def find(
    block: cython.const[cython.longlong][::1],
    session: cython.longlong,
    first_row: cython.longlong,
    last_row: cython.longlong,
    top: cython.longlong,
) -> int:
    """See `OpenBlock.find`: in a block that is complete. O(log entries)."""
    low: cython.longlong = _seek(block, session, first_row)
    end: cython.longlong = _seek(block, session, last_row + 1)
    high: cython.longlong = end
    middle: cython.longlong
    while low < high:
        middle = (low + high) // 2
        if block[WORDS * middle + 1] < top:
            low = middle + 1
        else:
            high = middle
    return block[WORDS * low + 2] if low < end else 0


def first_number(
    block: cython.const[cython.longlong][::1],
    session: cython.longlong,
    first_row: cython.longlong,
    last_row: cython.longlong,
) -> int:
    """See `OpenBlock.first_number`: in a block that is complete. O(log entries)."""
    at: cython.longlong = _seek(block, session, first_row)
    return block[WORDS * at + 1] if at < _seek(block, session, last_row + 1) else 0


@cython.cfunc
@cython.exceptval(check=False)
def _seek(
    block: cython.const[cython.longlong][::1], session: cython.longlong, row: cython.longlong
) -> cython.longlong:
    """The first entry that is not before that row of that session."""
    low: cython.longlong = 0
    high: cython.longlong = len(block) // WORDS
    middle: cython.longlong
    while low < high:
        middle = (low + high) // 2
        if block[WORDS * middle] < session or (
            block[WORDS * middle] == session and block[WORDS * middle + 2] < row
        ):
            low = middle + 1
        else:
            high = middle
    return low
