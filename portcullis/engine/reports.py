"""Session numbers, and output rows: each report is written and numbered here, in one act.

Owns the sessions' next numbers both ways and the head of each session's chain of numbered rows
(W_PREV). A row that its session's protocol has no message for (`engine.messages`) takes no number.
Must not know why a report is written. An output row's words come from an order's record
while the order lives, and from its last report row afterwards.

Invariants: numbers of a session's rows rise by one within an epoch; the caller has seen to room in
the batch (STEP_ROWS before each atomic step) and gives sessions within the capacity, which is why
bounds checks are off below.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

from portcullis.engine.messages import silent_in_ouch

if cython.compiled:
    from cython.cimports.portcullis.engine.book import Book
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.book import Book
    from portcullis.engine.layout import *
    from portcullis.engine.why import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class Reports:
    """Writes output rows into `table` about orders of `book`."""

    def __init__(self, table: RowTable, book: Book, sessions: int) -> None:
        self._table = table
        self._words = table.words
        self._orders = book.orders
        self.session_capacity = sessions
        self.sessions = memoryview(bytearray(8 * SESSION_WORDS * (sessions + 1))).cast("q")
        for session in range(sessions + 1):
            self.sessions[session * SESSION_WORDS + S_NEXT_OUT] = 1
            self.sessions[session * SESSION_WORDS + S_NEXT_IN] = 1
        self._silent_in_ouch = memoryview(silent_in_ouch())
        # A day is ending: OUCH takes no orders until the next has begun.
        self.is_closing = False
        # Rows of OUCH sessions that say more than their messages do; `unsaid_count` goes on where
        # there is no room. Whoever logs them empties it; no state depends on it.
        self.unsaid = memoryview(bytearray(8 * UNSAID_ROWS)).cast("q")
        self.unsaid_count = 0
        # By code of why: 1 where an OUCH message says all of it. Set by whoever logs them.
        self.said_whole = memoryview(bytearray(256))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def open(
        self,
        kind: cython.longlong,
        flags: cython.longlong,
        session: cython.longlong,
        cause: cython.longlong,
        exec_type: cython.longlong,
        why: cython.longlong,
    ) -> cython.longlong:
        """Append an output row, numbered where it has a message; give its word offset.

        No allocation. O(1).
        """
        row: cython.longlong = self._table.tail
        offset: cython.longlong = self._table.open_output(kind, flags, session)
        record: cython.longlong = session * SESSION_WORDS
        if self.sessions[record + S_FLAGS] & SESSION_OUCH:
            silent: cython.bint = self._silent_in_ouch[(kind << 8) | exec_type] != 0
            if why and (silent or not self.said_whole[why]):
                if self.unsaid_count < UNSAID_ROWS:
                    self.unsaid[self.unsaid_count] = row
                self.unsaid_count += 1
            if silent:
                self._words[offset + W_CAUSE] = cause
                return offset
        self._words[offset + W_OUT_SEQ] = self.sessions[record + S_NEXT_OUT]
        self._words[offset + W_PREV] = self.sessions[record + S_HEAD]
        self._words[offset + W_CAUSE] = cause
        self.sessions[record + S_NEXT_OUT] += 1
        self.sessions[record + S_HEAD] = row
        return offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def live(
        self,
        kind: cython.longlong,
        flags: cython.longlong,
        session: cython.longlong,
        cause: cython.longlong,
        slot: cython.longlong,
        exec_type: cython.longlong,
        ord_status: cython.longlong,
        reason: cython.longlong,
        why: cython.longlong,
    ) -> cython.longlong:
        """Report a live order's present state; session 0: to its owner. Give the word offset."""
        order: cython.longlong = slot * ORDER_WORDS
        if session == 0:
            session = (self._orders[order + O_META] >> 32) & ID_MASK
        offset: cython.longlong = self.open(kind, flags, session, cause, exec_type, why)
        self._words[offset + W_TERMS_ROW] = self._orders[order + O_TERMS]
        self._words[offset + W_ORDER] = self._orders[order + O_ROW]
        self._words[offset + W_LEAVES_QTY] = self._orders[order + O_LEAVES]
        self._words[offset + W_CUM_QTY] = self._orders[order + O_CUM]
        self._words[offset + W_AVG_PX] = self._orders[order + O_AVG]
        self._words[offset + W_ORDER_QTY] = self._orders[order + O_QTY]
        self._words[offset + W_STATE] = (
            exec_type
            | (ord_status << 8)
            | (reason << 16)
            | (why << 24)
            | ((self._orders[order + O_META] & 0xFF) << 32)
        )
        return offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def past(
        self,
        kind: cython.longlong,
        flags: cython.longlong,
        session: cython.longlong,
        cause: cython.longlong,
        final_row: cython.longlong,
        exec_type: cython.longlong,
        reason: cython.longlong,
        why: cython.longlong,
    ) -> cython.longlong:
        """Report an order that has ended, from its last report row; give the word offset.

        A row that is no longer kept leaves order and quantities at 0, the status at rejected.
        """
        offset: cython.longlong = self.open(kind, flags, session, cause, exec_type, why)
        ord_status: cython.longlong = 0x38
        side: cython.longlong = 0
        source: cython.longlong
        if self._table.has_row(final_row):
            source = self._table.at(final_row)
            self._words[offset + W_TERMS_ROW] = self._words[source + W_TERMS_ROW]
            self._words[offset + W_ORDER] = self._words[source + W_ORDER]
            self._words[offset + W_LEAVES_QTY] = self._words[source + W_LEAVES_QTY]
            self._words[offset + W_CUM_QTY] = self._words[source + W_CUM_QTY]
            self._words[offset + W_AVG_PX] = self._words[source + W_AVG_PX]
            self._words[offset + W_ORDER_QTY] = self._words[source + W_ORDER_QTY]
            ord_status = (self._words[source + W_STATE] >> 8) & 0xFF
            side = (self._words[source + W_STATE] >> 32) & 0xFF
        self._words[offset + W_STATE] = (
            exec_type | (ord_status << 8) | (reason << 16) | (why << 24) | (side << 32)
        )
        return offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def none(
        self,
        kind: cython.longlong,
        flags: cython.longlong,
        session: cython.longlong,
        cause: cython.longlong,
        exec_type: cython.longlong,
        ord_status: cython.longlong,
        reason: cython.longlong,
        why: cython.longlong,
    ) -> cython.longlong:
        """Report that concerns no order; give the word offset."""
        offset: cython.longlong = self.open(kind, flags, session, cause, exec_type, why)
        self._words[offset + W_STATE] = (
            exec_type | (ord_status << 8) | (reason << 16) | (why << 24)
        )
        return offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def is_ouch(self, session: cython.longlong) -> cython.bint:
        return self.sessions[session * SESSION_WORDS + S_FLAGS] & SESSION_OUCH != 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def has_day(self, session: cython.longlong) -> cython.bint:
        """Whether an OUCH session has begun a day."""
        return self.sessions[session * SESSION_WORDS + S_DAY] != 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def begin_day(
        self, session: cython.longlong, cause: cython.longlong, day: cython.longlong
    ) -> cython.void:
        """Number an OUCH session's messages from 1 again; the first says so. One row."""
        record: cython.longlong = session * SESSION_WORDS
        self.sessions[record + S_NEXT_OUT] = 1
        self.sessions[record + S_HEAD] = 0
        self.sessions[record + S_DAY] = day
        self._day_event(session, cause, EVENT_DAY_BEGINS)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def end_day(self, session: cython.longlong, cause: cython.longlong) -> cython.void:
        """Say to an OUCH session that its day ends: its last message. One row."""
        self._day_event(session, cause, EVENT_DAY_ENDS)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _day_event(
        self, session: cython.longlong, cause: cython.longlong, event: cython.longlong
    ) -> cython.void:
        offset: cython.longlong = self.open(SYSTEM_EVENT, 0, session, cause, event, WHY_NONE)
        self._words[offset + W_SESSION_DAY] = self.sessions[session * SESSION_WORDS + S_DAY]
        self._words[offset + W_STATE] = event

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put_last(
        self, offset: cython.longlong, price: cython.longlong, qty: cython.longlong
    ) -> cython.void:
        """Fill in W_LAST_PX and W_LAST_QTY of the report at a word offset."""
        self._words[offset + W_LAST_PX] = price
        self._words[offset + W_LAST_QTY] = qty

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def text_flag(self, row: cython.longlong) -> cython.longlong:
        """F_CAUSE_TEXT where the cause brings a text for its answer."""
        return F_CAUSE_TEXT if self._table.text_find(row, ITEM_TEXT) >= 0 else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def row_at(self, offset: cython.longlong) -> cython.longlong:
        """Number of the row at a word offset."""
        return self._table.origin_row + offset // ROW_WORDS
