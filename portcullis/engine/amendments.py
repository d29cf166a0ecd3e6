"""Busts and corrections of fills, by an operator's command.

Owns the arithmetic of a fill that is taken back or changed, for orders that live and for those
that have ended. A bust takes quantity out of CumQty and out of OrderQty of a live order, so that
OrderQty = CumQty + LeavesQty holds and nothing comes back; a filled order becomes cancelled. The
sum of an ended order's fills comes with the row, since only live orders keep it. Each BUST or
CORRECT row makes one report, so both sides of a match take two rows; whoever appends them has
asked for both before (`standing`), since what is done to one side stays done.
Why bounds checks are off below: rows are asked for with has_row, slots come from the id table.
Specification: docs/rules-of-engagement.md, "Reports"; FIX order state matrices, J.1.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

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
class Amendments:
    """Applies BUST and CORRECT rows; `ignored` counts those that name no fill of the order."""

    def __init__(
        self,
        table: RowTable,
        book: Book,
        keys: OrderKeys,
        sweep: Sweep,
        ids: IdTable,
        reports: Reports,
        instruments: memoryview[int],
    ) -> None:
        self._table = table
        self._words = table.words
        self._orders = book.orders
        self._keys = keys
        self._sweep = sweep
        self._ids = ids
        self._reports = reports
        self._instruments = instruments
        self.ignored = 0

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def standing(
        self,
        fill_row: cython.longlong,
        total: cython.longlong,
        new_qty: cython.longlong,
        new_price: cython.longlong,
    ) -> cython.longlong:
        """What an amendment of a fill, which the table has, would find. Changes nothing.

        0: its order lives; above: the last report of its order, which has ended; STANDS_GONE: the
        order's day has ended, also where its id is another order's by now; STANDS_OUT_OF_RANGE.
        total: see W_FILL_SUM; new_qty and new_price: 0 for a bust.
        """
        reference: cython.longlong = self._reference(fill_row)
        if reference < 0:
            return STANDS_GONE
        fill: cython.longlong = self._table.at(fill_row)
        qty: cython.longlong = self._words[fill + W_LAST_QTY]
        price: cython.longlong = self._words[fill + W_LAST_PX]
        row: cython.longlong = reference >> 2
        if reference & 3 == REF_LIVE:
            total = self._live_sum(row, qty, price, new_qty, new_price)
            return STANDS_OUT_OF_RANGE if total < 0 else 0
        total = self._past_sum(row, qty, price, total, new_qty, new_price)
        return STANDS_OUT_OF_RANGE if total < 0 else row

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def qty_most(self, fill_row: cython.longlong) -> cython.longlong:
        """The most that a fill could be of, CumQty up to OrderQty as the order last was; else as
        `standing`. What a correction may ask is for who writes its row: one of more is applied."""
        reference: cython.longlong = self._reference(fill_row)
        if reference < 0:
            return STANDS_GONE
        qty: cython.longlong = self._words[self._table.at(fill_row) + W_LAST_QTY]
        at: cython.longlong
        if reference & 3 == REF_LIVE:
            at = (reference >> 2) * ORDER_WORDS
            return qty + self._orders[at + O_QTY] - self._orders[at + O_CUM]
        at = self._table.at(reference >> 2)
        return qty + self._words[at + W_ORDER_QTY] - self._words[at + W_CUM_QTY]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _reference(self, fill_row: cython.longlong) -> cython.longlong:
        """Where the order of a fill is, by the id table: its slot or its last report; -1: its day
        has ended."""
        fill: cython.longlong = self._table.at(fill_row)
        order_row: cython.longlong = self._words[fill + W_ORDER]
        if not self._table.has_row(order_row):
            return -1
        at: cython.longlong = self._table.at(order_row)
        self._keys.hash_id(order_row, at, (self._words[at + W_HEAD] >> 32) & ID_MASK)
        found: cython.longlong = self._keys.find()
        if found < 0:
            return -1
        reference: cython.longlong = self._ids.reference(self._ids.current(found))
        row: cython.longlong = reference >> 2
        if reference & 3 == REF_LIVE:
            return reference if self._orders[row * ORDER_WORDS + O_ROW] == order_row else -1
        if reference & 3 != REF_CLOSED or not self._table.has_row(row):
            return -1
        return reference if self._words[self._table.at(row) + W_ORDER] == order_row else -1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def apply(self, row: cython.longlong) -> cython.void:
        """Apply a BUST or CORRECT row: one row to the order's owner, or none where the fill
        named can't be the order's."""
        at: cython.longlong = self._table.at(row)
        kind: cython.longlong = self._words[at + W_HEAD] & 0xFF
        flags: cython.longlong = (self._words[at + W_HEAD] >> 8) & 0xFF
        session: cython.longlong = self._keys.owner_session(
            row, flags, (self._words[at + W_HEAD] >> 32) & ID_MASK
        )
        self._keys.hash_id(row, at, session)
        found: cython.longlong = self._keys.find()
        reference: cython.longlong = REF_BURNT
        if found >= 0:
            found = self._ids.current(found)
            reference = self._ids.reference(found)
        new_qty: cython.longlong = 0
        new_price: cython.longlong = 0
        if kind != BUST:
            new_qty = self._words[at + W_NEW_QTY]
            new_price = self._words[at + W_NEW_PRICE]
        offset: cython.longlong = -1
        if reference & 3 == REF_LIVE:
            offset = self._amend_live(row, at, reference >> 2, new_qty, new_price)
        elif reference & 3 == REF_CLOSED:
            offset = self._amend_past(row, at, reference >> 2, new_qty, new_price)
            if offset >= 0:
                self._ids.refer(found, (self._reports.row_at(offset) << 2) | REF_CLOSED)
        if offset < 0:
            self.ignored += 1
        elif kind == BUST:
            self._reports.put_last(
                offset, self._words[at + W_FILL_PRICE], self._words[at + W_FILL_QTY]
            )
        else:
            self._reports.put_last(offset, new_price, new_qty)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _amended_sum(
        self,
        qty: cython.longlong,
        price: cython.longlong,
        cum: cython.longlong,
        total: cython.longlong,
        new_qty: cython.longlong,
        new_price: cython.longlong,
    ) -> cython.longlong:
        """The sum of price x quantity with one fill changed; -1 where that can't be."""
        bound: cython.longlong = (cython.cast(cython.longlong, 1) << 62) - 1
        if qty <= 0 or qty > cum or price <= 0 or total < 0 or price > total // qty:
            return -1
        if new_qty < 0 or new_price < 0 or (new_qty > 0 and new_price > bound // new_qty):
            return -1
        total -= price * qty
        return -1 if total > bound - new_price * new_qty else total + new_price * new_qty

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _live_sum(
        self,
        slot: cython.longlong,
        qty: cython.longlong,
        price: cython.longlong,
        new_qty: cython.longlong,
        new_price: cython.longlong,
    ) -> cython.longlong:
        """The same of a live order, within its instrument's bounds."""
        order: cython.longlong = slot * ORDER_WORDS
        record: cython.longlong = (self._orders[order + O_REF] & ID_MASK) * INSTRUMENT_WORDS
        total: cython.longlong = self._amended_sum(
            qty,
            price,
            self._orders[order + O_CUM],
            self._orders[order + O_SUM],
            new_qty,
            new_price,
        )
        if (
            total < 0
            or new_price > self._instruments[record + I_PRICE_WIDEST]
            or self._orders[order + O_QTY] + new_qty - qty
            > self._instruments[record + I_QTY_WIDEST]
        ):
            return -1
        return total

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _past_sum(
        self,
        final_row: cython.longlong,
        qty: cython.longlong,
        price: cython.longlong,
        total: cython.longlong,
        new_qty: cython.longlong,
        new_price: cython.longlong,
    ) -> cython.longlong:
        """The same of an order that has ended, by its last report."""
        final: cython.longlong = self._table.at(final_row)
        if not self._table.has_row(self._words[final + W_TERMS_ROW]):
            return -1
        old_cum: cython.longlong = self._words[final + W_CUM_QTY]
        total = self._amended_sum(qty, price, old_cum, total, new_qty, new_price)
        if total < 0:
            return -1
        cum: cython.longlong = old_cum - qty + new_qty
        record: cython.longlong = self._past_instrument(final)
        if (
            cum > self._instruments[record + I_QTY_WIDEST]
            or total > cum * self._instruments[record + I_PRICE_WIDEST]
        ):
            return -1
        return total

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _past_instrument(self, final: cython.longlong) -> cython.longlong:
        """Where the instrument of an order's last report stands."""
        order: cython.longlong = self._table.at(self._words[final + W_ORDER])
        return (self._words[order + W_REF] & ID_MASK) * INSTRUMENT_WORDS

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _amend_live(
        self,
        row: cython.longlong,
        at: cython.longlong,
        slot: cython.longlong,
        new_qty: cython.longlong,
        new_price: cython.longlong,
    ) -> cython.longlong:
        order: cython.longlong = slot * ORDER_WORDS
        record: cython.longlong = (self._orders[order + O_REF] & ID_MASK) * INSTRUMENT_WORDS
        qty: cython.longlong = self._words[at + W_FILL_QTY]
        price: cython.longlong = self._words[at + W_FILL_PRICE]
        total: cython.longlong = self._live_sum(slot, qty, price, new_qty, new_price)
        if total < 0:
            return -1
        change: cython.longlong = new_qty - qty
        cum: cython.longlong = self._orders[order + O_CUM] + change
        self._orders[order + O_CUM] = cum
        self._orders[order + O_QTY] += change
        self._orders[order + O_SUM] = total
        self._orders[order + O_AVG] = self._sweep.average(
            total, cum, self._instruments[record + I_SCALE]
        )
        bust: cython.bint = self._words[at + W_HEAD] & 0xFF == BUST
        return self._reports.live(
            REPORT,
            self._reports.text_flag(row),
            0,
            row,
            slot,
            EXEC_BUST if bust else EXEC_CORRECT,
            self._sweep.status(slot),
            NO_REASON,
            WHY_BUST if bust else WHY_CORRECT,
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _amend_past(
        self,
        row: cython.longlong,
        at: cython.longlong,
        final_row: cython.longlong,
        new_qty: cython.longlong,
        new_price: cython.longlong,
    ) -> cython.longlong:
        if not self._table.has_row(final_row):
            return -1
        qty: cython.longlong = self._words[at + W_FILL_QTY]
        total: cython.longlong = self._past_sum(
            final_row,
            qty,
            self._words[at + W_FILL_PRICE],
            self._words[at + W_FILL_SUM],
            new_qty,
            new_price,
        )
        if total < 0:
            return -1
        final: cython.longlong = self._table.at(final_row)
        record: cython.longlong = self._past_instrument(final)
        cum: cython.longlong = self._words[final + W_CUM_QTY] - qty + new_qty
        bust: cython.bint = self._words[at + W_HEAD] & 0xFF == BUST
        offset: cython.longlong = self._reports.past(
            REPORT,
            self._reports.text_flag(row),
            (self._words[final + W_HEAD] >> 32) & ID_MASK,
            row,
            final_row,
            EXEC_BUST if bust else EXEC_CORRECT,
            NO_REASON,
            WHY_BUST if bust else WHY_CORRECT,
        )
        self._words[offset + W_CUM_QTY] = cum
        self._words[offset + W_AVG_PX] = self._sweep.average(
            total, cum, self._instruments[record + I_SCALE]
        )
        # What a bust takes from a filled order is not worked again.
        if (self._words[offset + W_STATE] >> 8) & 0xFF == STATUS_FILLED and cum < self._words[
            offset + W_ORDER_QTY
        ]:
            self._words[offset + W_STATE] += (STATUS_CANCELED - STATUS_FILLED) << 8
        return offset
