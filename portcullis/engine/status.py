"""What an order is now, told to who asks: STATUS rows, and ids that are already known.

Owns how an order is found by an id or by its OrderID, and its report. Changes nothing. Must not
know FIX, nor what commands make of an order. Bounds: see `orders`.
Specification: docs/rules-of-engagement.md, "Status".
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

from portcullis.engine.why import WHYS

if cython.compiled:
    from cython.cimports.portcullis.engine.book import Book
    from cython.cimports.portcullis.engine.ids import IdTable
    from cython.cimports.portcullis.engine.keys import OrderKeys
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.reports import Reports
    from cython.cimports.portcullis.engine.sweep import Sweep
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.book import Book
    from portcullis.engine.ids import IdTable
    from portcullis.engine.keys import OrderKeys
    from portcullis.engine.layout import *
    from portcullis.engine.reports import Reports
    from portcullis.engine.sweep import Sweep
    from portcullis.engine.why import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class StatusAnswers:
    """Answers STATUS rows."""

    def __init__(
        self,
        table: RowTable,
        book: Book,
        keys: OrderKeys,
        sweep: Sweep,
        ids: IdTable,
        reports: Reports,
    ) -> None:
        self._table = table
        self._words = table.words
        self._orders = book.orders
        self._keys = keys
        self._sweep = sweep
        self._ids = ids
        self._reports = reports
        self._unknown_reason = WHYS[WHY_UNKNOWN_ORDER].ord_rej_reason

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def present(
        self,
        found: cython.longlong,
        session: cython.longlong,
        row: cython.longlong,
        flags: cython.longlong,
    ) -> cython.void:
        """Tell `session` the present state of the order that has an id. One row."""
        reference: cython.longlong = self._ids.reference(self._ids.current(found))
        if reference & 3 == REF_LIVE:
            self._reports.live(
                STATUS_REPORT,
                flags,
                session,
                row,
                reference >> 2,
                EXEC_STATUS,
                self._sweep.status(reference >> 2),
                NO_REASON,
                WHY_NONE,
            )
        else:
            self._reports.past(
                STATUS_REPORT,
                flags,
                session,
                row,
                reference >> 2,
                EXEC_STATUS,
                NO_REASON,
                WHY_NONE,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def answer(self, row: cython.longlong) -> cython.void:
        """Apply a STATUS row: one row, to who asked."""
        at: cython.longlong = self._table.at(row)
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        flags: cython.longlong = (self._words[at + W_HEAD] >> 8) & 0xFF
        owner: cython.longlong = self._keys.owner_session(row, flags, session)
        named: cython.longlong = 0
        if flags & F_ORDER_ID:
            named = self._keys.number_item(row, ITEM_ORDER_ID)
        own: cython.longlong = 0
        found: cython.longlong = -1
        if (self._words[at + W_TERMS] >> 32) & 0xFF or flags & F_LONG_ID:
            self._keys.hash_id(row, at, owner)
            found = self._keys.find()
        elif named:
            own = F_OWN
            found = self._find_by_row(named, owner)
        if found >= 0 and flags & F_ORDER_ID and self._order_row(found) != named:
            found = -1
        if found >= 0:
            self.present(found, session, row, own)
        else:
            self._reports.none(
                STATUS_REPORT,
                F_ANSWER | own,
                session,
                row,
                EXEC_STATUS,
                STATUS_REJECTED,
                self._unknown_reason,
                WHY_UNKNOWN_ORDER,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _find_by_row(self, brought: cython.longlong, session: cython.longlong) -> cython.longlong:
        """Index of the id that a session's NEW_ORDER row brought; below 0: there is none."""
        if session == 0 or not self._table.has_row(brought):
            return -1
        at: cython.longlong = self._table.at(brought)
        head: cython.longlong = self._words[at + W_HEAD]
        if head & 0xFF != NEW_ORDER or (head >> 32) & ID_MASK != session:
            return -1
        self._keys.hash_id(brought, at, session)
        return self._keys.find()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _order_row(self, found: cython.longlong) -> cython.longlong:
        """OrderID of the order that has an id, 0 where it is no longer known."""
        reference: cython.longlong = self._ids.reference(self._ids.current(found))
        if reference & 3 == REF_LIVE:
            return self._orders[(reference >> 2) * ORDER_WORDS + O_ROW]
        if self._table.has_row(reference >> 2):
            return self._words[self._table.at(reference >> 2) + W_ORDER]
        return 0
