"""The trading day: a DAY row ends one and begins the next.

Owns the day's id, the expiry of Day orders, and the restatement of those that live on, where their
session wants it. Must not know when a day ends by the clock (`gateway.trading_day`), nor what
begins with it on the wire.

Orders whose terms came before the DAY row and are good for the day expire, account by account,
oldest first, SLICE_ORDERS in one run, so that other commands come between; until its turn comes,
an order of the old day may still trade. Then, in the run that ended the last of them, the ids of
the old day are free, but for those of live orders (`engine.old_ids`).

Behind the last expiry the sessions of OUCH are told that their day ends, and numbered from 1 in
the next; until then nobody enters an order by OUCH. With F_SAME_DAY the old numbers get no end:
what the loss took may have stood behind them.

A DAY row that comes while another is at work ends both days together. The first of all ends none,
and one with F_SAME_DAY only gives the day a new id: after a loss, session ids must not come again.
As for mass commands, an empty run does nothing that replay would miss: the next order is looked up
in the run before.
Why bounds checks are off below: accounts and slots come from the book's own lists, indexes from
the id table's size, rows are asked for before they are read.
Specification: docs/rules-of-engagement.md, "Reports", "Ids and chains".
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.engine.book import Book
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.old_ids import OldIds
    from cython.cimports.portcullis.engine.reports import Reports
    from cython.cimports.portcullis.engine.sweep import Sweep
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.book import Book
    from portcullis.engine.layout import *
    from portcullis.engine.old_ids import OldIds
    from portcullis.engine.reports import Reports
    from portcullis.engine.sweep import Sweep
    from portcullis.engine.why import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

from portcullis.engine.why import WHYS


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class DayRoll:
    """Applies DAY rows. day: YYYYMMDDNN, 0 before the first."""

    def __init__(
        self, table: RowTable, book: Book, old_ids: OldIds, sweep: Sweep, reports: Reports
    ) -> None:
        self._table = table
        self._words = table.words
        self._book = book
        self._old_ids = old_ids
        self._sweep = sweep
        self._reports = reports
        self._slots = book.orders
        self._restatement = WHYS[WHY_NEW_DAY].restatement or 0
        self.day = 0
        # The DAY row at work, 0: none; the account whose orders are looked at.
        self.row = 0
        self.account = 0
        # The next session to begin the day; above the capacity: all have. And the row it is by.
        self.session = reports.session_capacity + 1
        self.session_row = 0
        # Orders that this run may still expire, and sessions it may roll.
        self.slice_left = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def take(self, row: cython.longlong) -> cython.bint:
        """Begin the day of a DAY row; False where it is not after the one that is."""
        day: cython.longlong = self._words[self._table.at(row) + W_DAY]
        if day <= self.day:
            return False
        flags: cython.longlong = (self._words[self._table.at(row)] >> 8) & 0xFF
        if self.day and not flags & F_SAME_DAY:
            self.row = row
            self.account = 0
            self._sweep.day_slot = 0
            self._reports.is_closing = True
        self.session = 1
        self.session_row = row
        self.day = day
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _skip(self) -> cython.void:
        """Move on to the next order that expires or is restated; 0: there is none. O(orders
        passed)."""
        slot: cython.longlong = self._sweep.day_slot
        order: cython.longlong
        while True:
            while slot:
                order = slot * ORDER_WORDS
                if self._slots[order + O_ROW] > self.row:
                    # Came in the new day, as all behind it did.
                    slot = 0
                    break
                if self._slots[order + O_TERMS] < self.row and (
                    self._expires(order) or self._is_restated(order)
                ):
                    break
                slot = self._slots[order + O_ACCOUNT_NEXT]
            if slot or self.account >= self._book.account_capacity:
                break
            self.account += 1
            slot = self._book.accounts[self.account * ACCOUNT_WORDS + A_FIRST]
        self._sweep.day_slot = slot

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _expires(self, order: cython.longlong) -> cython.bint:
        return (self._slots[order + O_META] >> 16) & 0xFF == TIF_DAY

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_restated(self, order: cython.longlong) -> cython.bint:
        """Whether the order's session is told of it at the beginning of each day."""
        session: cython.longlong = (self._slots[order + O_META] >> 32) & ID_MASK
        flags: cython.longlong = self._reports.sessions[session * SESSION_WORDS + S_FLAGS]
        return flags & SESSION_GTC_RESTATE != 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _restate(self, slot: cython.longlong) -> cython.void:
        """Tell an order's session that it goes on, and move day_slot on. One row."""
        self._reports.live(
            REPORT,
            0,
            0,
            self.row,
            slot,
            EXEC_RESTATED,
            self._sweep.status(slot),
            self._restatement,
            WHY_NEW_DAY,
        )
        self._sweep.day_slot = self._slots[slot * ORDER_WORDS + O_ACCOUNT_NEXT]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def work(self) -> cython.bint:
        """Expire and restate orders, then roll sessions, for what is left of the slice; False:
        the batch is full."""
        slot: cython.longlong
        offset: cython.longlong
        while self.row and self.slice_left:
            self._skip()
            slot = self._sweep.day_slot
            if slot == 0:
                break
            if self._table.tail + STEP_ROWS > self._table.batch_limit:
                return False
            self.slice_left -= 1
            if not self._expires(slot * ORDER_WORDS):
                self._restate(slot)
                continue
            self._sweep.withdraw(slot)
            offset = self._reports.live(
                REPORT,
                0,
                0,
                self.row,
                slot,
                EXEC_EXPIRED,
                STATUS_EXPIRED,
                NO_REASON,
                WHY_DAY_END,
            )
            # Moves day_slot on.
            self._sweep.close(slot, offset)
        return self._roll_sessions()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _roll_sessions(self) -> cython.bint:
        """Begin the day for sessions of OUCH, once no order expires any more."""
        if self.row and self._sweep.day_slot:
            return True
        while self.slice_left and self.session <= self._reports.session_capacity:
            if self._reports.is_ouch(self.session):
                # Asked only where a row is due: a run that wrote none would not be replayed.
                if self._table.tail + STEP_ROWS > self._table.batch_limit:
                    return False
                self.slice_left -= 1
                if (
                    self._reports.has_day(self.session)
                    and not (self._words[self._table.at(self.session_row)] >> 8) & F_SAME_DAY
                ):
                    self._reports.end_day(self.session, self.session_row)
                self._reports.begin_day(self.session, self.session_row, self.day)
            self.session += 1
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def is_busy(self) -> cython.bint:
        """Whether orders have to expire, or sessions to begin the day, in the next run."""
        return self.row != 0 or self.session <= self._reports.session_capacity

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def settle(self) -> cython.void:
        """End the day once none of its orders is left. The last step of a run."""
        if self._sweep.day_slot == 0:
            while self.session <= self._reports.session_capacity and not self._reports.is_ouch(
                self.session
            ):
                self.session += 1
        if self.row == 0:
            return
        self._skip()
        if self._sweep.day_slot == 0 and self.session > self._reports.session_capacity:
            self._old_ids.begin(self.row, self._table.tail - 1)
            self.row = 0
            self.account = 0
            self._reports.is_closing = False
